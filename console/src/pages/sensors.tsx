import { Button, Drawer, Modal, TextInput } from '@mantine/core'
import { IconPlus, IconServer2 } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { queries, removeSensor, type Sensor } from '../api'
import { AddSensor } from '../components/addsensor'
import gate from '../components/gate.module.css'
import { SensorMark } from '../components/marks'
import { Empty, Failed, NotFound, Rows } from '../components/states'
import { duration, number, plural, Time } from '../time'
import styles from './list.module.css'

export function SensorsPage() {
  const { id } = useParams({ from: '/shell/sensors/{-$id}' })
  const navigate = useNavigate()
  const { data: session } = useQuery(queries.session)
  const { data, error, refetch } = useQuery(queries.sensors)
  const [adding, setAdding] = useState(false)
  const chosen = data?.find((s) => s.id === id)
  const may = session?.user?.role === 'administrator'
  const close = () => void navigate({ to: '/sensors/{-$id}', params: { id: undefined } })
  const add = may && (
    <Button leftSection={<IconPlus size={15} aria-hidden />} onClick={() => setAdding(true)}>
      Add a sensor
    </Button>
  )
  return (
    <div className="page">
      <div className="head">
        <h1>Sensors</h1>
        {data && data.length > 0 && <span className="dim small">{plural(data.length, 'sensor')}</span>}
        {data && data.length > 0 && add}
      </div>
      {error && !data ? (
        <div className="card">
          <Failed error={error} retry={() => void refetch()} />
        </div>
      ) : !data ? (
        <Rows n={4} />
      ) : data.length === 0 ? (
        <div className="card">
          <Empty icon={<IconServer2 size={28} stroke={1.5} aria-hidden />} title="No sensor yet" action={add}>
            A sensor reads the traffic of a domain controller, on it or beside a mirrored port. Put one on every domain controller: what happens at one without is not seen.
          </Empty>
        </div>
      ) : (
        <div className="card">
          <table className="table stacks">
            <thead>
              <tr>
                <th>Sensor</th>
                <th>State</th>
                <th>Reads</th>
                <th>Last heard of</th>
                <th className="right">Lag</th>
                <th className="right">Packets</th>
                <th className="right">Activities</th>
                <th className="right">Dropped</th>
                <th className="right">Spool</th>
              </tr>
            </thead>
            <tbody>
              {data.map((s) => (
                <tr key={s.id} className="opens">
                  <td>
                    <Link className="cover" to="/sensors/{-$id}" params={{ id: s.id }}>
                      {s.name}
                    </Link>
                    <p className="dim tiny">
                      {s.host !== s.name && `${s.host}, `}
                      {s.version}
                    </p>
                  </td>
                  <td>
                    <SensorMark state={s.state} />
                  </td>
                  <td data-label="Reads">{s.sources.join(', ') || <span className="dim">nothing yet</span>}</td>
                  <td className="nowrap" data-label="Last heard of">
                    <Time at={s.lastSeen} as="age" />
                  </td>
                  <td className="right nowrap" data-label="Lag">{lag(s)}</td>
                  <td className="right num" data-label="Packets">{number(s.packets)}</td>
                  <td className="right num" data-label="Activities">{number(s.activities)}</td>
                  <td className="right num" data-label="Dropped">{s.dropped > 0 ? number(s.dropped) : <span className="dim">0</span>}</td>
                  <td className="right num nowrap" data-label="Spool">{s.spoolBatches > 0 ? bytes(s.spoolBytes) : <span className="dim">empty</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Drawer opened={id !== undefined} onClose={close} position="right" size={560} title={<strong>{chosen?.name ?? 'Sensor'}</strong>} closeButtonProps={{ 'aria-label': 'Close' }}>
        {chosen ? <One sensor={chosen} may={may} onRemoved={close} /> : data && <NotFound what="sensor">It may have been removed.</NotFound>}
      </Drawer>
      {adding && <AddSensor opened onClose={() => setAdding(false)} />}
    </div>
  )
}

const late = 5 // seconds: below it a lag says nothing

function lag(s: Sensor) {
  if (s.state === 'done' || s.state === 'files' || s.state === 'never') {
    return <span className="dim">none</span>
  }
  return s.lagSeconds < late ? <span className="dim">under {late} s</span> : duration(s.lagSeconds)
}

function bytes(n: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let i = 0
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024
    i++
  }
  return `${n < 10 && i > 0 ? n.toFixed(1) : Math.round(n)} ${units[i]}`
}

const tones: Partial<Record<Sensor['state'], string>> = { silent: 'high', ahead: 'high', behind: 'medium', holding: 'medium', never: 'medium' }

function One({ sensor: s, may, onRemoved }: { sensor: Sensor; may: boolean; onRemoved: () => void }) {
  const [removing, setRemoving] = useState(false)
  const stages = [...new Set(s.counters.map((c) => c.stage))]
  return (
    <div className={styles.detail}>
      <div className={styles.note} data-tone={tones[s.state]}>
        <SensorMark state={s.state} />
        <p>{s.stateText}</p>
      </div>
      <dl className="facts">
        <dt>Host</dt>
        <dd>
          {s.host}, {s.os}
        </dd>
        <dt>Version</dt>
        <dd>{s.version}</dd>
        <dt>Reads</dt>
        <dd>{s.sources.join(', ') || 'nothing yet'}</dd>
        <dt>Last heard of</dt>
        <dd>
          <Time at={s.lastSeen} as="age" />
        </dd>
        <dt>Lag</dt>
        <dd>{lag(s)}</dd>
        <dt>Clock</dt>
        <dd>{Math.abs(s.skewSeconds) < 1 ? 'as the center’s' : `${duration(s.skewSeconds)} ${s.skewSeconds > 0 ? 'ahead' : 'behind'}`}</dd>
        <dt>Packets</dt>
        <dd className="num">
          {number(s.packets)}
          {s.dropped > 0 && `, ${number(s.dropped)} dropped by the kernel`}
        </dd>
        {s.events > 0 && (
          <>
            <dt>Events</dt>
            <dd className="num">{number(s.events)}</dd>
          </>
        )}
        <dt>Activities</dt>
        <dd className="num">{number(s.activities)}</dd>
        <dt>Spool</dt>
        <dd className="num">
          {s.spoolBatches > 0 ? `${plural(s.spoolBatches, 'batch', 'batches')}, ${bytes(s.spoolBytes)}` : 'empty'}
          {s.spoolLimit > 0 && <span className="dim"> of {bytes(s.spoolLimit)}</span>}
          {s.spoolLost > 0 && `, ${plural(s.spoolLost, 'batch', 'batches')} lost when it was full`}
        </dd>
        <dt>Memory</dt>
        <dd className="num">{s.memory > 0 ? bytes(s.memory) : 'not stated'}</dd>
        <dt>First packet</dt>
        <dd>
          <Time at={s.firstPacket} />
        </dd>
        <dt>First activity</dt>
        <dd>
          <Time at={s.firstActivity} />
        </dd>
        <dt>Enrolled</dt>
        <dd>
          <Time at={s.enrolled} />
        </dd>
        <dt>Certificate until</dt>
        <dd>
          <Time at={s.certificateExpires} as="date" />
        </dd>
        <dt>Id</dt>
        <dd className="mono">{s.id}</dd>
      </dl>
      <section>
        <h2>Counters</h2>
        {stages.length === 0 ? (
          <p className="dim small">The sensor has not reported any yet.</p>
        ) : (
          <table className={`table ${styles.flush}`}>
            <thead>
              <tr>
                <th>Stage</th>
                <th>Counter</th>
                <th className="right">Count</th>
              </tr>
            </thead>
            <tbody>
              {stages.flatMap((stage) =>
                s.counters
                  .filter((c) => c.stage === stage)
                  .map((c, i) => (
                    <tr key={`${stage} ${c.name}`}>
                      <td className="mono">{i === 0 && stage}</td>
                      <td>{c.name}</td>
                      <td className="right num">{c.count > 0 ? number(c.count) : <span className="dim">0</span>}</td>
                    </tr>
                  )),
              )}
            </tbody>
          </table>
        )}
      </section>
      {may && (
        <div className={styles.remove}>
          <p className="dim small">Removing it revokes its certificate. What it stated stays.</p>
          <Button variant="outline" color="red" onClick={() => setRemoving(true)}>
            Remove
          </Button>
        </div>
      )}
      {removing && <Remove sensor={s} onClose={() => setRemoving(false)} onRemoved={onRemoved} />}
    </div>
  )
}

function Remove({ sensor, onClose, onRemoved }: { sensor: Sensor; onClose: () => void; onRemoved: () => void }) {
  const qc = useQueryClient()
  const [typed, setTyped] = useState('')
  const remove = useMutation({
    mutationFn: () => removeSensor(sensor.id),
    onSuccess: () => {
      void qc.invalidateQueries({ queryKey: queries.sensors.queryKey })
      onClose()
      onRemoved()
    },
  })
  return (
    <Modal opened onClose={onClose} size={440} title={<strong>Remove {sensor.name}</strong>} closeButtonProps={{ 'aria-label': 'Close the dialog' }}>
      <form
        className={styles.dialog}
        onSubmit={(e) => {
          e.preventDefault()
          if (typed === sensor.name) {
            remove.mutate()
          }
        }}
      >
        {remove.error && (
          <div className={gate.error} role="alert">
            {remove.error.message}
          </div>
        )}
        <p className="small">
          The center stops listening to it at once, and what happens at {sensor.host || 'its host'} is no longer seen. To come back it needs a new access key.
        </p>
        <TextInput label={`Type ${sensor.name} to confirm`} size="xs" data-autofocus autoComplete="off" value={typed} onChange={(e) => setTyped(e.currentTarget.value)} />
        <div className={styles.buttons}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" color="red" disabled={typed !== sensor.name} loading={remove.isPending}>
            Remove the sensor
          </Button>
        </div>
      </form>
    </Modal>
  )
}
