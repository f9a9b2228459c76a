import { ActionIcon, Button, Modal, Skeleton, Textarea, Tooltip } from '@mantine/core'
import { IconArrowLeft, IconCheck, IconChevronDown, IconChevronUp, IconRepeat, IconRotate } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient, type InfiniteData } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState, type ReactNode } from 'react'
import { act, queries, Refusal, type Act, type Account, type Alert, type AlertSummary, type Computer } from '../api'
import { Activities } from '../components/activities'
import { Evidence } from '../components/evidence'
import { Guidance } from '../components/guidance'
import { History } from '../components/history'
import { accountName, nameOf, roles, SeverityMark, StatusTag, Technique } from '../components/marks'
import { Failed, NotFound } from '../components/states'
import gate from '../components/gate.module.css'
import { duration, number, Span, Time } from '../time'
import styles from './alert.module.css'

export function AlertPage() {
  const { id } = useParams({ from: '/shell/alerts/$id' })
  return <One key={id} id={id} />
}

function One({ id }: { id: string }) {
  const qc = useQueryClient()
  const { data, error, refetch } = useQuery(queries.alert(id))
  const { data: session } = useQuery(queries.session)
  const [closing, setClosing] = useState(false)
  const doing = useMutation({
    mutationFn: ({ what, comment }: { what: Act; comment: string }) => act(id, what, comment),
    onSuccess: (detail) => {
      qc.setQueryData(queries.alert(id).queryKey, detail)
      void qc.invalidateQueries({ queryKey: ['alerts'] })
      void qc.invalidateQueries({ queryKey: ['detections'] })
    },
  })

  if (error && !data) {
    return (
      <div className="page">
        <Back id={id} />
        <div className="card">
          {error instanceof Refusal && error.status === 404 ? (
            <NotFound what="alert">It may have been removed with its data, or the address is mistyped.</NotFound>
          ) : (
            <Failed error={error} retry={() => void refetch()} />
          )}
        </div>
      </div>
    )
  }
  if (!data) {
    return (
      <div className="page" aria-busy="true">
        <Back id={id} />
        <Skeleton height={18} width={280} mb={12} />
        <Skeleton height={26} width="80%" mb={22} />
        <Skeleton height={130} mb={16} />
        <Skeleton height={240} />
      </div>
    )
  }

  const a = data.alert
  const may = session?.user?.role === 'administrator' || session?.user?.role === 'analyst'
  const run = (what: Act, comment: string) => doing.mutateAsync({ what, comment })
  return (
    <div className="page">
      <Back id={id} />
      <header className={styles.head}>
        <div>
          <div className={styles.title}>
            <SeverityMark severity={a.severity} />
            <span>{a.title}</span>
            <StatusTag status={a.status} />
            {a.late && <span className="tag">Late data</span>}
          </div>
          <h1 data-testid="summary">{a.summary}</h1>
        </div>
        {may && (
          <div className={styles.actions}>
            {a.status === 'open' ? (
              <Button size="sm" leftSection={<IconCheck size={16} aria-hidden />} onClick={() => setClosing(true)}>
                Close
              </Button>
            ) : (
              <Button size="sm" variant="default" leftSection={<IconRotate size={16} aria-hidden />} loading={doing.isPending} onClick={() => void run('reopen', '').catch(() => undefined)}>
                Reopen
              </Button>
            )}
          </div>
        )}
      </header>
      {doing.error && !closing && (
        <div className={gate.error} role="alert">
          {doing.error.message}
        </div>
      )}
      <Repeats previous={a.previous} next={data.next} />

      <div className={styles.columns}>
        <div className={styles.main}>
          <Who alert={a} />
          <Evidence alert={a} />
          <section className="card" aria-label="Guidance">
            <Guidance parts={data.guidance} first="howToCheck" />
          </section>
        </div>
        <div className={styles.side}>
          <section className="card" aria-labelledby="facts">
            <header>
              <h2 id="facts">Facts</h2>
            </header>
            <div className="body">
              <Facts alert={a} raised={data.raised} updated={data.updated} />
            </div>
          </section>
          <History entries={data.history} may={may} busy={doing.isPending} act={run} />
        </div>
      </div>
      <Activities alert={id} />
      {closing && <Close onClose={() => setClosing(false)} busy={doing.isPending} error={doing.error} close={(comment) => run('close', comment)} />}
    </div>
  )
}

/** Back leads to the timeline, and to its neighbours where it was loaded. */
function Back({ id }: { id: string }) {
  const qc = useQueryClient()
  const lists = qc.getQueriesData<InfiniteData<{ alerts: AlertSummary[] }>>({ queryKey: ['alerts', 'list'] })
  const list = lists.map(([, d]) => d?.pages.flatMap((p) => p.alerts) ?? []).find((l) => l.some((a) => a.id === id)) ?? []
  const at = list.findIndex((a) => a.id === id)
  const step = (to: AlertSummary | undefined, word: string, icon: ReactNode) =>
    to && (
      <Tooltip label={`${word}: ${to.title}`}>
        <ActionIcon size={26} aria-label={`${word} alert`} renderRoot={(p) => <Link to="/alerts/$id" params={{ id: to.id }} {...p} />}>
          {icon}
        </ActionIcon>
      </Tooltip>
    )
  return (
    <nav className={styles.back} aria-label="Timeline">
      <Link to="/alerts" className={styles.up}>
        <IconArrowLeft size={15} aria-hidden />
        Alerts
      </Link>
      {step(list[at - 1], 'Newer', <IconChevronUp size={17} />)}
      {step(at < 0 ? undefined : list[at + 1], 'Older', <IconChevronDown size={17} />)}
    </nav>
  )
}

function Repeats({ previous, next }: { previous: string | undefined; next: string | undefined }) {
  if (!previous && !next) {
    return null
  }
  return (
    <div className={styles.repeats}>
      <IconRepeat size={16} stroke={1.7} aria-hidden />
      <span>
        {previous && (
          <>
            The same was closed before, and went on:{' '}
            <Link to="/alerts/$id" params={{ id: previous }}>
              see the earlier alert
            </Link>
            .{' '}
          </>
        )}
        {next && (
          <>
            It went on after this was closed:{' '}
            <Link to="/alerts/$id" params={{ id: next }}>
              see the later alert
            </Link>
            .
          </>
        )}
      </span>
    </div>
  )
}

function Who({ alert: a }: { alert: Alert }) {
  const domains = new Set(a.accounts.map((p) => p.domain ?? ''))
  const domain = domains.size === 1 ? [...domains][0] : '' // of all accounts: said once
  return (
    <section className={`card ${styles.who}`} aria-label="Who">
      <div>
        <h2>
          From <Count n={a.sources.length} />
        </h2>
        <Computers list={a.sources} none="The source is not known." />
      </div>
      <div>
        <h2>
          Accounts <Count n={a.accounts.length} />
          {domain && <span className={styles.domain}>{domain}</span>}
        </h2>
        <Accounts list={a.accounts} domain={domain} />
      </div>
      <div>
        <h2>
          To <Count n={a.targets.length} />
        </h2>
        <Computers list={a.targets} none="No target was named." />
      </div>
    </section>
  )
}

const Count = ({ n }: { n: number }) => (n > 1 ? <span className="dim num">{number(n)}</span> : null)
const few = 6 // shown of a long list before it is asked for
const many = 1000 // what one alert lists at most

function useFew<T>(list: T[]): [T[], ReactNode] {
  const [all, setAll] = useState(false)
  return [
    list.slice(0, all ? many : few),
    list.length > few && (
      <button type="button" className={styles.all} aria-expanded={all} onClick={() => setAll(!all)}>
        {all ? 'Show fewer' : `Show all ${number(list.length)}`}
      </button>
    ),
  ]
}

function Computers({ list, none }: { list: Computer[]; none: string }) {
  const [shown, more] = useFew(list)
  if (list.length === 0) {
    return <p className="dim small">{none}</p>
  }
  return (
    <>
      <ul className={styles.entities}>
        {shown.map((c) => (
          <li key={`${c.address} ${c.name}`}>
            <p className={styles.name}>{nameOf(c)}</p>
            {c.name && c.address && <p className="dim mono">{c.address}</p>}
            {c.name && c.method && (
              <p className="dim tiny">
                by {c.method}
                {c.certainty && `, certainty ${c.certainty}`}
              </p>
            )}
          </li>
        ))}
      </ul>
      {more}
    </>
  )
}

/** Accounts by role, the gravest first. */
function Accounts({ list, domain }: { list: Account[]; domain: string | undefined }) {
  const rank = (a: Account) => {
    const i = roles.findIndex((r) => r.role === a.role)
    return i < 0 ? roles.length : i
  }
  const [shown, more] = useFew([...list].sort((x, y) => rank(x) - rank(y)))
  if (list.length === 0) {
    return <p className="dim small">No account is involved.</p>
  }
  const counts = roles.map((r) => ({ ...r, n: list.filter((a) => a.role === r.role).length })).filter((r) => r.n > 0)
  return (
    <>
      {list.length > few && (
        <p className={styles.counts}>
          {counts.map((r) => (
            <span key={r.role} className="tag" data-tone={r.tone}>
              {r.word} <span className="num">{number(r.n)}</span>
            </span>
          ))}
        </p>
      )}
      <ul className={styles.entities} data-long={shown.length > few || undefined}>
        {shown.map((a, i) => {
          const role = roles.find((r) => r.role === a.role)
          return (
            <li key={a.key ?? i} className={styles.account} title={a.sid}>
              <span className={styles.name}>
                {accountName(a)}
                {a.domain && a.domain !== domain && <span className="dim tiny"> {a.domain}</span>}
              </span>
              {role && (
                <span className="tag" data-tone={role.tone}>
                  {role.word}
                </span>
              )}
            </li>
          )
        })}
      </ul>
      {more}
    </>
  )
}

const certainties = { high: 'High', low: 'Low: names may be wrong' }
const baselines = {
  unneeded: 'Not needed',
  none: 'None yet: the rule ran at its most sensitive level',
  learned: 'Learned here',
}
const outcomes = { success: 'Succeeded', failure: 'Was refused', attempt: 'Not seen' }

function Facts({ alert: a, raised, updated }: { alert: Alert; raised: string; updated: string }) {
  const lasted = (Date.parse(a.end) - Date.parse(a.start)) / 1000
  return (
    <dl className="facts">
      <dt>Ended</dt>
      <dd>
        <Time at={a.end} as="age" />
      </dd>
      <dt>When</dt>
      <dd>
        <Span start={a.start} end={a.end} dates />
        <span className="dim">, {duration(lasted)}</span>
      </dd>
      <dt>Acts</dt>
      <dd className="num">{number(a.count)}</dd>
      <dt>Outcome</dt>
      <dd>{outcomes[a.outcome]}</dd>
      {a.protocol && (
        <>
          <dt>Protocol</dt>
          <dd>{a.protocol}</dd>
        </>
      )}
      <dt>Certainty</dt>
      <dd>{certainties[a.certainty]}</dd>
      <dt>Baseline</dt>
      <dd>{baselines[a.baseline]}</dd>
      <dt>Techniques</dt>
      <dd>
        {a.techniques.map((t) => (
          <div key={t}>
            <Technique id={t} />
          </div>
        ))}
      </dd>
      <dt>Detection</dt>
      <dd>
        <Link to="/detections/{-$id}" params={{ id: a.detection }}>
          {a.detection}
        </Link>
      </dd>
      <dt>Raised</dt>
      <dd>
        <Time at={raised} />
      </dd>
      {updated !== raised && (
        <>
          <dt>Updated</dt>
          <dd>
            <Time at={updated} />
          </dd>
        </>
      )}
      {(a.mdiId > 0 || a.ataIds.length > 0) && (
        <>
          <dt>External id</dt>
          <dd className="num">{[a.mdiId > 0 && `MDI ${a.mdiId}`, a.ataIds.length > 0 && `ATA ${a.ataIds.join(', ')}`].filter(Boolean).join(', ')}</dd>
        </>
      )}
      <dt>Id</dt>
      <dd className="mono">{a.id}</dd>
    </dl>
  )
}

type CloseProps = { onClose: () => void; busy: boolean; error: Error | null; close: (comment: string) => Promise<unknown> }

function Close({ onClose, busy, error, close }: CloseProps) {
  const [comment, setComment] = useState('')
  return (
    <Modal opened onClose={onClose} size={460} title={<strong>Close the alert</strong>} closeButtonProps={{ 'aria-label': 'Close the dialog' }}>
      <form
        className={styles.close}
        onSubmit={(e) => {
          e.preventDefault()
          void close(comment.trim()).then(onClose, () => undefined)
        }}
      >
        {error && (
          <div className={gate.error} role="alert">
            {error.message}
          </div>
        )}
        <Textarea
          label="Comment" description="What it was, and how you know." data-autofocus autosize minRows={3} maxRows={10} maxLength={4096} value={comment}
          onChange={(e) => setComment(e.currentTarget.value)} onKeyDown={(e) => (e.ctrlKey || e.metaKey) && e.key === 'Enter' && e.currentTarget.form?.requestSubmit()}
        />
        <p className="dim small">If it happens again, a new alert is opened that points to this one.</p>
        <div className={styles.buttons}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={busy}>
            Close the alert
          </Button>
        </div>
      </form>
    </Modal>
  )
}
