import { Button, Textarea } from '@mantine/core'
import { IconBellRinging, IconCircleCheck, IconMessage, IconRotate } from '@tabler/icons-react'
import { useState } from 'react'
import type { Act, HistoryEntry } from '../api'
import { Time } from '../time'
import styles from './history.module.css'

const acts = {
  raised: { word: 'Raised', Icon: IconBellRinging },
  close: { word: 'Closed', Icon: IconCircleCheck },
  reopen: { word: 'Reopened', Icon: IconRotate },
  note: { word: 'Note', Icon: IconMessage },
}

type Props = { entries: HistoryEntry[]; may: boolean; busy: boolean; act: (what: Act, comment: string) => Promise<unknown> }

/** History is what happened to the alert, and where a note is written. */
export function History({ entries, may, busy, act }: Props) {
  const [note, setNote] = useState('')
  return (
    <section className="card" aria-labelledby="history">
      <header>
        <h2 id="history">History</h2>
      </header>
      <ol className={styles.entries}>
        {entries.map((e, i) => {
          const { word, Icon } = acts[e.do]
          return (
            <li key={i}>
              <Icon size={16} stroke={1.7} aria-hidden />
              <div>
                <p>
                  <strong>{word}</strong>
                  {e.by && ` by ${e.by}`}
                  <span className="dim">
                    {' '}
                    <Time at={e.time} as="age" />
                  </span>
                </p>
                {e.comment && <p className={styles.comment}>{e.comment}</p>}
              </div>
            </li>
          )
        })}
      </ol>
      {may && (
        <form
          className={styles.form}
          onSubmit={(e) => {
            e.preventDefault()
            if (note.trim()) {
              void act('note', note.trim()).then(() => setNote(''), () => undefined)
            }
          }}
        >
          <Textarea
            aria-label="Note" placeholder="What you found, for whoever comes next" size="xs" autosize minRows={2} maxRows={8} maxLength={4096} value={note}
            onChange={(e) => setNote(e.currentTarget.value)}
          />
          <Button type="submit" variant="default" disabled={!note.trim()} loading={busy}>
            Add the note
          </Button>
        </form>
      )}
    </section>
  )
}
