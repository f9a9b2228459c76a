import { ActionIcon, Button, Modal, NumberInput, SegmentedControl, Select, TextInput, Tooltip } from '@mantine/core'
import { IconTrash } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { createAccessKey, deleteAccessKey, queries } from '../api'
import { number, plural, Time } from '../time'
import styles from './addsensor.module.css'
import { Command } from './copy'
import gate from './gate.module.css'

const lifetimes = [
  { value: '1', label: '1 hour' },
  { value: '24', label: '1 day' },
  { value: '168', label: '1 week' },
  { value: '720', label: '30 days' },
]

// What stands in docs/service.md and docs/sensor.md, with the key in it.
const ways = {
  service: {
    label: 'As a service',
    needs: 'Copy the program verderer-sensor and the folder deploy to it, and run this where they are, as root:',
    commands: (enroll: string) =>
      [
        'install -m 755 verderer-sensor /usr/bin/',
        'install -D -m 644 deploy/systemd/verderer.sysusers /usr/lib/sysusers.d/verderer.conf',
        'install -m 644 deploy/systemd/verderer-sensor.service /etc/systemd/system/',
        'systemd-sysusers && systemctl daemon-reload',
        'install -d -m 700 -o verderer-sensor -g verderer-sensor /var/lib/verderer-sensor',
        "echo 'interface: [eth0]' > /etc/verderer-sensor.yaml",
        `runuser -u verderer-sensor -- ${enroll}`,
        'systemctl enable --now verderer-sensor',
      ].join('\n'),
  },
  hand: {
    label: 'By hand, to try it',
    needs: 'Copy the program verderer-sensor to it (one file, nothing else is needed), and run this where it is, as root. It runs until Ctrl-C:',
    commands: (enroll: string) => `./${enroll} --state sensor-trial\n./verderer-sensor run --state sensor-trial --interface eth0`,
  },
}
type Way = keyof typeof ways

/** AddSensor makes an access key, and shows the commands that use it, once. */
export function AddSensor({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} size={800} title={<strong>Add a sensor</strong>} closeButtonProps={{ 'aria-label': 'Close' }}>
      <NewKey onClose={onClose} />
      <Keys />
    </Modal>
  )
}

function NewKey({ onClose }: { onClose: () => void }) {
  const qc = useQueryClient()
  const [hours, setHours] = useState('24')
  const [uses, setUses] = useState<number | string>(1)
  const [note, setNote] = useState('')
  const [way, setWay] = useState<Way>('service')
  const create = useMutation({
    mutationFn: createAccessKey,
    onSuccess: () => qc.invalidateQueries({ queryKey: queries.accessKeys.queryKey }),
  })
  if (create.data) {
    return (
      <div className={styles.made}>
        <SegmentedControl
          size="xs" aria-label="How it runs" className={styles.way} value={way} onChange={(v) => setWay(v as Way)}
          data={Object.entries(ways).map(([value, w]) => ({ value, label: w.label }))}
        />
        <p className="small">
          {create.data.uses === 1 ? 'On the domain controller' : `On each of up to ${number(create.data.uses)} domain controllers`}, or on a computer beside a port that mirrors its
          traffic. {ways[way].needs}
        </p>
        <Command text={ways[way].commands(create.data.command)} />
        <ul className={styles.remarks}>
          <li>
            Copy it now: the key in it is not shown again. It is good until <Time at={create.data.expires} />.
          </li>
          <li>
            In place of <code>eth0</code> put the interface that the traffic comes through; <code>ip -br link</code> lists them.
          </li>
          <li>The sensor appears in the list once it has enrolled, and its first packet seconds after it starts.</li>
        </ul>
        <div className={styles.buttons}>
          <Button onClick={onClose}>Done</Button>
        </div>
      </div>
    )
  }
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault()
        create.mutate({ hours: Number(hours), uses: Number(uses) || 1, ...(note.trim() && { note: note.trim() }) })
      }}
    >
      <p className="dim small">A sensor enrols with an access key. It then has a certificate of its own, and the key is no longer needed.</p>
      {create.error && (
        <div className={gate.error} role="alert">
          {create.error.message}
        </div>
      )}
      <div className={styles.fields}>
        <Select label="Good for" size="xs" data={lifetimes} value={hours} onChange={(v) => setHours(v ?? '24')} allowDeselect={false} />
        <NumberInput label="Sensors" size="xs" value={uses} onChange={setUses} min={1} max={1000} clampBehavior="strict" allowDecimal={false} />
        <TextInput label="Note" size="xs" placeholder="for whom, optional" value={note} onChange={(e) => setNote(e.currentTarget.value)} maxLength={200} />
      </div>
      <div className={styles.buttons}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={create.isPending}>
          Create the access key
        </Button>
      </div>
    </form>
  )
}

function Keys() {
  const qc = useQueryClient()
  const { data: keys } = useQuery(queries.accessKeys)
  const remove = useMutation({
    mutationFn: deleteAccessKey,
    onSettled: () => qc.invalidateQueries({ queryKey: queries.accessKeys.queryKey }),
  })
  if (!keys?.length) {
    return null
  }
  return (
    <section className={styles.keys}>
      <h2>Access keys</h2>
      {remove.error && (
        <div className={gate.error} role="alert">
          {remove.error.message}
        </div>
      )}
      <table className="table">
        <thead>
          <tr>
            <th>Key</th>
            <th>Note</th>
            <th>By</th>
            <th className="right">Used</th>
            <th>Expires</th>
            <th>
              <span className="sr">Delete</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((k) => (
            <tr key={k.id}>
              <td className="mono">{k.id}</td>
              <td>{k.note || <span className="dim">none</span>}</td>
              <td>{k.by}</td>
              <td className="right num">
                {number(k.used)} of {plural(k.uses, 'sensor')}
              </td>
              <td className="nowrap">
                <Time at={k.expires} as="age" />
              </td>
              <td className="right">
                <Tooltip label="Delete the key: it enrols no further sensor">
                  <ActionIcon size={24} aria-label={`Delete the access key ${k.id}`} loading={remove.isPending && remove.variables === k.id} onClick={() => remove.mutate(k.id)}>
                    <IconTrash size={15} />
                  </ActionIcon>
                </Tooltip>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
