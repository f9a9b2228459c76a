import { Button, SegmentedControl, Select, TextInput, UnstyledButton } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconArrowNarrowRight, IconBellOff, IconDeviceLaptop, IconFilterOff, IconSearch, IconUser } from '@tabler/icons-react'
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { memo, useEffect, useMemo, useRef, useState } from 'react'
import { queries, type AlertSummary, type Computer, type Filter, type Severity } from '../api'
import { Checklist } from '../components/checklist'
import { accountName, Bars, nameOf, SeverityMark, StatusTag } from '../components/marks'
import { Empty, Failed, Rows } from '../components/states'
import { useKeys } from '../keys'
import { useRaised } from '../live'
import type { AlertSearch } from '../router'
import { dayKey, dayName, number, plural, Span, Time } from '../time'
import styles from './alerts.module.css'

export function AlertsPage() {
  const search = useSearch({ from: '/shell/alerts' })
  const filter = useMemo(() => filterOf(search), [search])
  const alerts = useInfiniteQuery({ ...queries.alerts(filter), placeholderData: keepPreviousData })
  const list = useMemo(() => alerts.data?.pages.flatMap((p) => p.alerts) ?? [], [alerts.data])
  const first = alerts.data?.pages[0]
  useArrows()
  const { data: checklist } = useQuery(queries.checklist)
  const waiting = checklist?.done === false && list.length === 0 && !Object.values(search).some(Boolean)

  return (
    <div className="page">
      <div className="head">
        <h1>Alerts</h1>
        {first && !waiting && (
          <span className="dim small num" role="status" data-testid="total">
            {plural(first.total, 'alert')}
          </span>
        )}
      </div>
      <Checklist />
      {!waiting && <Filters search={search} open={first?.open} />}
      {alerts.isPending ? (
        <Rows n={7} height={84} />
      ) : alerts.isError && !alerts.data ? (
        <div className="card">
          <Failed error={alerts.error} retry={() => void alerts.refetch()} />
        </div>
      ) : list.length === 0 ? (
        <Nothing search={search} />
      ) : (
        <div data-stale={alerts.isPlaceholderData || undefined} className={styles.list}>
          {days(list).map(([key, rows]) => (
            <Day key={key} rows={rows} />
          ))}
          <More
            more={alerts.hasNextPage} busy={alerts.isFetchingNextPage} failed={alerts.isFetchNextPageError} load={() => void alerts.fetchNextPage()}
            shown={list.length} total={first?.total ?? list.length}
          />
        </div>
      )}
    </div>
  )
}

function filterOf(s: AlertSearch): Filter {
  return {
    ...(s.status !== 'all' && { status: [s.status ?? 'open'] }),
    ...(s.severity && { severity: s.severity.split(',') as Severity[] }),
    ...(s.detection && { detection: s.detection }),
    ...(s.q && { q: s.q }),
  }
}

/** days groups alerts, which come newest first, by local day. */
function days(list: AlertSummary[]): [string, AlertSummary[]][] {
  const groups: [string, AlertSummary[]][] = []
  for (const a of list) {
    const key = dayKey(a.start)
    const last = groups.at(-1)
    if (last?.[0] === key) {
      last[1].push(a)
    } else {
      groups.push([key, [a]])
    }
  }
  return groups
}

const statuses = [
  { value: 'open', label: 'Open' },
  { value: 'closed', label: 'Closed' },
  { value: 'suppressed', label: 'Suppressed' },
  { value: 'all', label: 'All' },
]

function Filters({ search, open }: { search: AlertSearch; open: { high: number; medium: number; low: number } | undefined }) {
  const navigate = useNavigate({ from: '/alerts' })
  const { data: detections } = useQuery(queries.detections)
  const set = (change: AlertSearch) => void navigate({ search: (s) => ({ ...s, ...change }), replace: true })
  const chosen = search.severity?.split(',') ?? []
  const toggle = (s: Severity) => {
    const now = chosen.includes(s) ? chosen.filter((x) => x !== s) : [...chosen, s]
    set({ severity: now.length === 3 ? undefined : now.join(',') || undefined })
  }
  return (
    <div className={styles.filters} role="search" aria-label="Filter the alerts">
      <SegmentedControl
        size="xs" data={statuses} value={search.status ?? 'open'} onChange={(v) => set({ status: v === 'open' ? undefined : (v as AlertSearch['status']) })}
        aria-label="Status" className={styles.status}
      />
      <div className={styles.severities} role="group" aria-label="Severity">
        {(['high', 'medium', 'low'] as const).map((s) => (
          <UnstyledButton key={s} className={styles.severity} data-tone={s} aria-pressed={chosen.includes(s)} onClick={() => toggle(s)} title={`${open?.[s] ?? 0} open`}>
            <Bars severity={s} />
            <span className={styles.word}>{{ high: 'High', medium: 'Medium', low: 'Low' }[s]}</span>
            <span className="num">{open ? number(open[s]) : ''}</span>
          </UnstyledButton>
        ))}
      </div>
      <Select
        size="xs" w={180} aria-label="Detection" placeholder="Every detection" clearable searchable value={search.detection ?? null}
        data={detections?.map((d) => ({ value: d.id, label: d.name })) ?? []} onChange={(v) => set({ detection: v ?? undefined })}
        clearButtonProps={{ 'aria-label': 'Every detection' }} comboboxProps={{ width: 380, position: 'bottom-start' }} nothingFoundMessage="No detection of that name"
      />
      <Search value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} />
    </div>
  )
}

const typing = 250 // ms without a key before the center is asked

function Search({ value, onChange }: { value: string; onChange: (q: string) => void }) {
  const [text, setText] = useState(value)
  const input = useRef<HTMLInputElement>(null)
  const later = useDebouncedCallback(onChange, typing)
  useEffect(() => setText(value), [value])
  useKeys({ '/': () => input.current?.focus() })
  return (
    <TextInput
      ref={input} size="xs" className={styles.search} type="search" aria-label="Search in alerts" placeholder="Search" title="Computer, account, address, text" maxLength={200}
      leftSection={<IconSearch size={15} aria-hidden />} rightSection={<kbd className={styles.key} title="Press / to search">/</kbd>}
      value={text}
      onChange={(e) => {
        setText(e.currentTarget.value)
        later(e.currentTarget.value.trim())
      }}
      onKeyDown={(e) => e.key === 'Escape' && e.currentTarget.blur()}
    />
  )
}

function Day({ rows }: { rows: AlertSummary[] }) {
  const day = dayName(rows[0]!.start)
  return (
    <section aria-label={`${day.name}, ${day.date}`}>
      <h2 className={styles.day}>
        {day.name} <span className="dim">{day.date}</span>
      </h2>
      <ul className={`card ${styles.rows}`}>
        {rows.map((a) => (
          <Row key={a.id} alert={a} />
        ))}
      </ul>
    </section>
  )
}

/** Row is drawn anew when its alert changed, not when others came. */
const Row = memo(function Row({ alert: a }: { alert: AlertSummary }) {
  const fresh = useRaised(a.id)
  return (
    <li className={`opens ${styles.row}`} data-severity={a.severity} data-fresh={fresh || undefined} data-testid="alert">
      <div>
        <SeverityMark severity={a.severity} />
      </div>
      <div className={styles.what}>
        <h3>
          <Link className="cover" to="/alerts/$id" params={{ id: a.id }}>
            {a.title}
          </Link>
          {a.status !== 'open' && <StatusTag status={a.status} />}
          {a.previous && <span className="tag">Repeats a closed alert</span>}
          {a.late && <span className="tag">Late data</span>}
        </h3>
        <p>{a.summary}</p>
      </div>
      <div className={styles.who}>
        <p className={styles.path}>
          <IconDeviceLaptop size={15} stroke={1.7} aria-label="from" />
          <Computers list={a.sources} count={a.sourceCount} none="unknown source" />
        </p>
        {a.targetCount > 0 && (
          <p className={styles.path}>
            <IconArrowNarrowRight size={15} stroke={1.7} aria-label="to" />
            <Computers list={a.targets} count={a.targetCount} none="" />
          </p>
        )}
        {a.accountCount > 0 && (
          <p className={`dim ${styles.path}`}>
            <IconUser size={15} stroke={1.7} aria-label="accounts:" />
            <span className="cut" title={a.accounts.map(accountName).join(', ')}>
              {a.accounts.slice(0, 2).map(accountName).join(', ')}
            </span>
            {a.accountCount > 2 && <span className="nowrap">+{number(a.accountCount - 2)}</span>}
          </p>
        )}
      </div>
      <div className={styles.when}>
        <p>
          <Time at={a.start} as="age" />
        </p>
        <p className="dim">
          <Span start={a.start} end={a.end} />
        </p>
        <p className="dim num">{plural(a.count, 'act')}</p>
      </div>
    </li>
  )
})

function Computers({ list, count, none }: { list: Computer[]; count: number; none: string }) {
  const c = list[0]
  if (!c) {
    return <span className="dim">{none}</span>
  }
  return (
    <>
      <span className="cut" title={c.name && c.address ? `${c.name} (${c.address})` : nameOf(c)}>
        {nameOf(c)}
      </span>
      {count > 1 && <span className="dim nowrap">+{number(count - 1)}</span>}
    </>
  )
}

type MoreProps = { more: boolean; busy: boolean; failed: boolean; load: () => void; shown: number; total: number }

/** More loads the next page when it comes into view, or is pressed. */
function More({ more, busy, failed, load, shown, total }: MoreProps) {
  const end = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const el = end.current
    if (!el || !more || busy || failed) return
    const seen = new IntersectionObserver((e) => e.some((x) => x.isIntersecting) && load(), { rootMargin: '400px' })
    seen.observe(el)
    return () => seen.disconnect()
  }, [more, busy, failed, load])
  return (
    <div ref={end} className={styles.more}>
      {more ? (
        <Button variant="default" loading={busy} onClick={load}>
          {failed ? 'Try again' : 'Load more'}
        </Button>
      ) : null}
      <span className="dim tiny num">
        {shown < total ? `${number(shown)} of ${plural(total, 'alert')}` : `${plural(total, 'alert')}, all shown`}
      </span>
    </div>
  )
}

function Nothing({ search }: { search: AlertSearch }) {
  const { data: checklist } = useQuery(queries.checklist)
  const filtered = search.severity || search.detection || search.q
  return (
    <div className="card">
      {filtered ? (
        <Empty
          icon={<IconFilterOff size={28} stroke={1.5} aria-hidden />} title="No alert matches"
          action={
            <Button variant="default" renderRoot={(p) => <Link to="/alerts" search={{ status: search.status }} {...p} />}>
              Clear the filter
            </Button>
          }
        >
          Other alerts are hidden by severity, detection or text.
        </Empty>
      ) : search.status === 'closed' || search.status === 'suppressed' ? (
        <Empty icon={<IconBellOff size={28} stroke={1.5} aria-hidden />} title={`No ${search.status} alert`}>
          {search.status === 'closed' ? 'Alerts that were closed stay here, with their comments.' : 'Alerts that a rule keeps silent would stand here.'}
        </Empty>
      ) : checklist && !checklist.done ? (
        <Empty icon={<IconBellOff size={28} stroke={1.5} aria-hidden />} title="Nothing to see yet">
          Alerts appear here by themselves once a sensor reads the traffic of a domain controller.
        </Empty>
      ) : (
        <Empty
          icon={<IconBellOff size={28} stroke={1.5} aria-hidden />} title={search.status === 'all' ? 'No alert so far' : 'No open alert'}
          action={
            <>
              <Button variant="default" renderRoot={(p) => <Link to="/detections/{-$id}" params={{ id: undefined }} {...p} />}>
                What is looked for
              </Button>
              {search.status !== 'all' && (
                <Button variant="default" renderRoot={(p) => <Link to="/alerts" search={{ status: 'closed' }} {...p} />}>
                  Closed alerts
                </Button>
              )}
            </>
          }
        >
          New ones appear here by themselves.
        </Empty>
      )}
    </div>
  )
}

/** useArrows moves between alerts with j and k, as in other lists of its kind. */
function useArrows() {
  const move = (by: number) => {
    const all = [...document.querySelectorAll<HTMLAnchorElement>('[data-testid=alert] .cover')]
    const at = all.indexOf(document.activeElement as HTMLAnchorElement)
    all[Math.min(Math.max(at + by, 0), all.length - 1)]?.focus()
  }
  useKeys({ j: () => move(1), k: () => move(-1) })
}
