import type { Account, Computer, Detection, Sensor, Severity, Status } from '../api'

export type Tone = 'high' | 'medium' | 'low' | 'good' | 'idle'

const bars = { high: 3, medium: 2, low: 1 }
const severityWord = { high: 'High', medium: 'Medium', low: 'Low' }

/** SeverityMark says it by word, colour and number of bars. */
export function SeverityMark({ severity }: { severity: Severity }) {
  return (
    <span className="mark" data-tone={severity}>
      <Bars severity={severity} />
      {severityWord[severity]}
    </span>
  )
}

export function Bars({ severity }: { severity: Severity }) {
  return (
    <svg width="14" height="12" viewBox="0 0 14 12" aria-hidden>
      {[0, 1, 2].map((i) => (
        <rect key={i} x={i * 5} y={8 - i * 4} width="4" height={4 + i * 4} rx="1" fill="currentColor" opacity={i < bars[severity] ? 1 : 0.25} />
      ))}
    </svg>
  )
}

const statusWord: Record<Status, string> = { open: 'Open', closed: 'Closed', suppressed: 'Suppressed' }

export function StatusTag({ status }: { status: Status }) {
  return (
    <span className="tag" data-tone={status === 'open' ? 'medium' : 'idle'}>
      {statusWord[status]}
    </span>
  )
}

const sensorStates: Record<Sensor['state'], { word: string; tone: Tone; hollow?: boolean }> = {
  silent: { word: 'Silent', tone: 'high' },
  never: { word: 'Never connected', tone: 'medium', hollow: true },
  ahead: { word: 'Clock ahead', tone: 'high' },
  behind: { word: 'Behind', tone: 'medium' },
  holding: { word: 'Holding', tone: 'medium' },
  files: { word: 'Reading files', tone: 'low' },
  done: { word: 'Done', tone: 'idle' },
  working: { word: 'Working', tone: 'good' },
}

export function SensorMark({ state }: { state: Sensor['state'] }) {
  const s = sensorStates[state]
  return <StateMark {...s} />
}

export function DetectionMark({ state }: { state: Detection['state'] }) {
  return state === 'working' ? <StateMark word="Working" tone="good" /> : <StateMark word="Waiting" tone="idle" hollow />
}

function StateMark({ word, tone, hollow }: { word: string; tone: Tone; hollow?: boolean }) {
  return (
    <span className="mark" data-tone={tone}>
      <span className="dot" data-hollow={hollow || undefined} aria-hidden />
      {word}
    </span>
  )
}

type Role = NonNullable<Account['role']>

/** roles by what an analyst must know first. */
export const roles: { role: Role; word: string; tone: Tone }[] = [
  { role: 'guessed', word: 'Password found', tone: 'high' },
  { role: 'exposed', word: 'Secret exposed', tone: 'high' },
  { role: 'actor', word: 'Acted', tone: 'medium' },
  { role: 'exists', word: 'Confirmed to exist', tone: 'medium' },
  { role: 'attacked', word: 'Password tried', tone: 'low' },
  { role: 'unknown', word: 'Does not exist', tone: 'idle' },
]

/** nameOf a computer: the name that was found, or the address. */
export const nameOf = (c: Computer) => c.name || c.address || 'unknown computer'

/** accountName with its domain, as people write it. */
export const accountName = (a: Pick<Account, 'name' | 'domain' | 'sid'>) => a.name || a.sid || 'unnamed'

const techniques: Record<string, string> = {
  T1003: 'OS Credential Dumping',
  'T1003.006': 'DCSync',
  T1018: 'Remote System Discovery',
  'T1021.002': 'SMB/Windows Admin Shares',
  T1046: 'Network Service Discovery',
  'T1069.002': 'Domain Groups',
  T1078: 'Valid Accounts',
  'T1078.002': 'Domain Accounts',
  T1087: 'Account Discovery',
  'T1087.002': 'Domain Account',
  T1098: 'Account Manipulation',
  T1110: 'Brute Force',
  'T1110.001': 'Password Guessing',
  'T1110.002': 'Password Cracking',
  'T1110.003': 'Password Spraying',
  'T1110.004': 'Credential Stuffing',
  'T1134.001': 'Token Impersonation/Theft',
  T1187: 'Forced Authentication',
  T1207: 'Rogue Domain Controller',
  T1210: 'Exploitation of Remote Services',
  T1482: 'Domain Trust Discovery',
  'T1550.002': 'Pass the Hash',
  'T1550.003': 'Pass the Ticket',
  'T1555.004': 'Windows Credential Manager',
  T1557: 'Adversary-in-the-Middle',
  T1558: 'Steal or Forge Kerberos Tickets',
  'T1558.001': 'Golden Ticket',
  'T1558.003': 'Kerberoasting',
  'T1558.004': 'AS-REP Roasting',
  T1569: 'System Services',
}

/** Technique is MITRE ATT&CK's number with its name, where it is one of ours. */
export function Technique({ id }: { id: string }) {
  return (
    <>
      {techniques[id] && <>{techniques[id]} </>}
      <span className="mono dim">{id}</span>
    </>
  )
}
