import { ActionIcon, Button } from '@mantine/core'
import { IconCheck, IconX } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { queries } from '../api'
import { Time } from '../time'
import { AddSensor } from './addsensor'
import styles from './checklist.module.css'

/** Checklist leads from the first account to the first activity. Once all steps
 * are done it stays for whoever saw that happen, until they leave or dismiss it. */
export function Checklist() {
  const { data } = useQuery({ ...queries.checklist, refetchInterval: (q) => (q.state.data?.done ? false : 5_000) })
  const { data: session } = useQuery(queries.session)
  const { data: sensors } = useQuery({ ...queries.sensors, refetchInterval: false }) // an event tells
  const [adding, setAdding] = useState(false)
  const [watched, setWatched] = useState(false)
  if (data && !data.done && !watched) {
    setWatched(true)
  }
  if (!data || (data.done && !watched)) {
    return null
  }
  const mayAdd = session?.user?.role === 'administrator'
  const current = data.steps.findIndex((s) => !s.done)
  return (
    <section className={`card ${styles.checklist}`} aria-labelledby="checklist" data-testid="checklist">
      <header>
        <h2 id="checklist">Getting started</h2>
        <span className="dim small num">
          {data.done ? 'All done: alerts appear below by themselves.' : `${data.steps.filter((s) => s.done).length} of ${data.steps.length} done`}
        </span>
        {data.done && (
          <ActionIcon size={22} aria-label="Dismiss" onClick={() => setWatched(false)}>
            <IconX size={15} />
          </ActionIcon>
        )}
      </header>
      <ol className={styles.steps} aria-live="polite">
        {data.steps.map((s, i) => (
          <li key={s.id} data-done={s.done} data-current={i === current || undefined} data-testid={`step-${s.id}`}>
            <span className={styles.number} aria-hidden>
              {s.done ? <IconCheck size={14} stroke={2.5} /> : i + 1}
            </span>
            <div>
              <h3>
                {s.title}
                <span className="sr">{s.done ? ', done' : ', not done'}</span>
              </h3>
              {s.done ? s.at && <p className="dim tiny"><Time at={s.at} as="age" /></p> : (
                <p className="dim small">
                  {s.hint}
                  {s.id === 'sensor' && !mayAdd && ' An administrator adds one.'}
                </p>
              )}
              {s.id === 'sensor' && !s.done && mayAdd && sensors?.length === 0 && (
                <Button mt={8} onClick={() => setAdding(true)}>
                  Show what to run
                </Button>
              )}
            </div>
          </li>
        ))}
      </ol>
      {adding && <AddSensor opened onClose={() => setAdding(false)} />}
    </section>
  )
}
