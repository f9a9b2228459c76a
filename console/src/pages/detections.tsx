import { Button, Drawer } from '@mantine/core'
import { IconRadar2 } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { queries, type Detection } from '../api'
import { Guidance } from '../components/guidance'
import { DetectionMark, SeverityMark, Technique } from '../components/marks'
import { Empty, Failed, NotFound, Rows } from '../components/states'
import { duration, number, plural } from '../time'
import styles from './list.module.css'

const levels = { high: 'High', medium: 'Medium', low: 'Low' }
const levelMeans = {
  high: 'It must see the most before it raises an alert, and learns what is normal here.',
  medium: 'It does without having learned what is normal here.',
  low: 'It raises an alert on the least that means something.',
}
const grave = { high: 0, medium: 1, low: 2 }

export function DetectionsPage() {
  const { id } = useParams({ from: '/shell/detections/{-$id}' })
  const navigate = useNavigate()
  const { data, error, refetch } = useQuery(queries.detections)
  const list = [...(data ?? [])].sort((a, b) => grave[a.severity] - grave[b.severity] || a.name.localeCompare(b.name))
  // Guidance links to folders of the source tree, which are ids without dashes.
  const chosen = list.find((d) => d.id === id || d.id.replaceAll('-', '') === id)
  const waiting = list.filter((d) => d.state === 'waiting').length
  return (
    <div className="page">
      <div className="head">
        <h1>Detections</h1>
        {data && (
          <span className="dim small">
            {plural(list.length, 'detection')}
            {waiting > 0 && `, ${number(waiting)} waiting for something to look at`}
          </span>
        )}
      </div>
      {error && !data ? (
        <div className="card">
          <Failed error={error} retry={() => void refetch()} />
        </div>
      ) : !data ? (
        <Rows n={6} />
      ) : list.length === 0 ? (
        <div className="card">
          <Empty icon={<IconRadar2 size={28} stroke={1.5} aria-hidden />} title="No detection runs">
            The configuration of the center names which do.
          </Empty>
        </div>
      ) : (
        <div className="card">
          <table className="table stacks">
            <thead>
              <tr>
                <th className={styles.severity}>Severity</th>
                <th>Detection</th>
                <th>State</th>
                <th>Level</th>
                <th className="right">Open</th>
                <th className="right">All</th>
              </tr>
            </thead>
            <tbody>
              {list.map((d) => (
                <tr key={d.id} className="opens">
                  <td>
                    <SeverityMark severity={d.severity} />
                  </td>
                  <td>
                    <Link className="cover" to="/detections/{-$id}" params={{ id: d.id }}>
                      {d.name}
                    </Link>
                    <p className="dim">{d.description}</p>
                  </td>
                  <td className={styles.state}>
                    <DetectionMark state={d.state} />
                    <p className="dim tiny">{d.stateText}</p>
                  </td>
                  <td data-label="Level">{levels[d.level]}</td>
                  <td className="right num" data-label="Open alerts">{d.open > 0 ? <strong>{number(d.open)}</strong> : <span className="dim">0</span>}</td>
                  <td className="right num dim" data-label="All alerts">{number(d.alerts)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Drawer
        opened={id !== undefined} onClose={() => void navigate({ to: '/detections/{-$id}', params: { id: undefined } })} position="right" size={600}
        title={<strong>{chosen?.name ?? 'Detection'}</strong>} closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {chosen ? <One detection={chosen} /> : data && <NotFound what="detection" />}
      </Drawer>
    </div>
  )
}

function One({ detection: d }: { detection: Detection }) {
  return (
    <div className={styles.detail}>
      <p>{d.description}</p>
      <dl className="facts">
        <dt>Severity</dt>
        <dd>
          <SeverityMark severity={d.severity} />
        </dd>
        <dt>State</dt>
        <dd>
          <DetectionMark state={d.state} />
          <div className="dim">{d.stateText}</div>
        </dd>
        <dt>Level</dt>
        <dd>
          {levels[d.level]} <div className="dim">{levelMeans[d.level]}</div>
        </dd>
        <dt>Tactic</dt>
        <dd>{d.tactic}</dd>
        <dt>Techniques</dt>
        <dd>
          {d.techniques.map((t) => (
            <div key={t}>
              <Technique id={t} />
            </div>
          ))}
        </dd>
        <dt>External id</dt>
        <dd className="num">{[d.mdiId > 0 && `MDI ${d.mdiId}`, d.ataIds.length > 0 && `ATA ${d.ataIds.join(', ')}`].filter(Boolean).join(', ') || 'none'}</dd>
        <dt>Alerts</dt>
        <dd className="num">
          {number(d.open)} open, {number(d.alerts)} in all
        </dd>
      </dl>
      {d.alerts > 0 && (
        <Button variant="default" className={styles.start} renderRoot={(p) => <Link to="/alerts" search={{ detection: d.id, ...(d.open === 0 && { status: 'all' }) }} {...p} />}>
          Show its alerts
        </Button>
      )}
      <List title="What must be seen for it to work" items={d.needs} />
      <List title="What it cannot see" items={d.blindSpots} />
      <section>
        <h2>Nearest harmless cause</h2>
        <p className="small">{d.legitimate}</p>
      </section>
      {d.tunables.length > 0 && (
        <section>
          <h2>What it compares with</h2>
          <table className={`table ${styles.flush}`}>
            <thead>
              <tr>
                <th>Number</th>
                <th className="right">Value</th>
                <th>Why</th>
              </tr>
            </thead>
            <tbody>
              {d.tunables.map((t) => (
                <tr key={t.name}>
                  <td className="mono nowrap">{t.name}</td>
                  <td className="right nowrap num">{t.unit === 'seconds' ? duration(t.value) : t.unit === 'percent' ? `${t.value} %` : `${number(t.value)} ${t.unit}`}</td>
                  <td className="dim">{t.why}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <section>
        <h2>Guidance</h2>
        <div className={styles.guidance}>
          <Guidance parts={d.guidance} first="whatHappened" />
        </div>
      </section>
    </div>
  )
}

function List({ title, items }: { title: string; items: string[] }) {
  if (items.length === 0) {
    return null
  }
  return (
    <section>
      <h2>{title}</h2>
      <ul className={styles.plain}>
        {items.map((i) => (
          <li key={i}>{i}</li>
        ))}
      </ul>
    </section>
  )
}
