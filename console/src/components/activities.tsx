import { ActionIcon, Button, Skeleton } from '@mantine/core'
import { IconCheck, IconChevronDown, IconChevronRight, IconMinus, IconX } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Fragment, useState } from 'react'
import { queries, type Activity } from '../api'
import { clock, dayKey, full, number, plural, utc } from '../time'
import { Copy } from './copy'
import styles from './activities.module.css'
import { Empty, Failed } from './states'

const kinds: Record<string, string> = {
  'logon.kerberos.as': 'Kerberos AS',
  'logon.kerberos.tgs': 'Kerberos TGS',
  'logon.kerberos.ap': 'Kerberos ticket',
  'logon.ntlm': 'NTLM logon',
  'logon.ldap.simple': 'LDAP simple bind',
  'logon.ldap.sasl': 'LDAP SASL bind',
  'query.ldap': 'LDAP search',
  'query.dns': 'DNS query',
  'dns.update': 'DNS update',
  'directory.replication': 'Replication call',
  'directory.access': 'Directory access',
  'directory.change': 'Directory change',
  'logon.local': 'Logon',
  'logon.adfs': 'AD FS logon',
  'vpn.connect': 'VPN connection',
  'vpn.end': 'VPN end',
  'query.samr': 'SAMR query',
  'query.smb_session': 'Session enumeration',
  'query.private_data': 'Private data',
  'query.netbios': 'NetBIOS query',
  'smb.session': 'SMB session',
  'smb.tree': 'SMB share',
  'smb.file': 'SMB file',
  'rpc.call': 'RPC call',
  'netlogon.channel': 'Netlogon channel',
  'server.service': 'Service',
  'server.task': 'Scheduled task',
  'server.wmi': 'WMI execution',
  'server.powershell': 'PowerShell',
  'certificate.request': 'Certificate',
  'server.setting': 'Server setting',
}

const step = 25 // rows shown at first, and more with each press

/** Activities are what the alert rests on, as the sensors stated it. */
export function Activities({ alert }: { alert: string }) {
  const { data, error, refetch, isPending } = useQuery(queries.activities(alert))
  const [shown, setShown] = useState(step)
  const [open, setOpen] = useState<Set<string>>(new Set())
  const toggle = (id: string) =>
    setOpen((was) => {
      const now = new Set(was)
      if (!now.delete(id)) now.add(id)
      return now
    })
  const list = data?.activities ?? []
  const days = new Set(list.map((a) => dayKey(a.time))).size
  return (
    <section className="card" aria-labelledby="activities">
      <header>
        <h2 id="activities">Activities behind it</h2>
        {data && <span className="dim small num">{number(list.length)}</span>}
      </header>
      {isPending ? (
        <div className="body" aria-busy="true">
          {[0, 1, 2, 3].map((i) => (
            <Skeleton key={i} height={12} my={12} />
          ))}
        </div>
      ) : error ? (
        <Failed error={error} retry={() => void refetch()} />
      ) : list.length === 0 ? (
        <Empty title="No activity is kept">
          {data.missing > 0 ? `The alert names ${plural(data.missing, 'activity', 'activities')}, which are older than what the center keeps.` : 'The alert names none.'}
        </Empty>
      ) : (
        <>
          <div className={styles.scroll} tabIndex={0} role="region" aria-label="Table of activities">
            <table className="table">
              <thead>
                <tr>
                  <th className={styles.open}>
                    <span className="sr">Detail</span>
                  </th>
                  <th>Time</th>
                  <th>Kind</th>
                  <th>Source</th>
                  <th>Target</th>
                  <th>Account or question</th>
                  <th>Outcome</th>
                </tr>
              </thead>
              <tbody>
                {list.slice(0, shown).map((a) => (
                  <Fragment key={a.id}>
                    <tr className={styles.row} onClick={() => toggle(a.id)}>
                      <td className={styles.open}>
                        <ActionIcon
                          size={20} aria-label={`Detail of the activity at ${clock(a.time)}`} aria-expanded={open.has(a.id)}
                          onClick={(e) => {
                            e.stopPropagation()
                            toggle(a.id)
                          }}
                        >
                          {open.has(a.id) ? <IconChevronDown size={14} /> : <IconChevronRight size={14} />}
                        </ActionIcon>
                      </td>
                      <td className="nowrap num">
                        <time dateTime={a.time} title={utc(a.time)}>
                          {days > 1 ? full(a.time) : clock(a.time)}
                        </time>
                      </td>
                      <td className="nowrap" title={a.kind}>
                        {kinds[a.kind] ?? a.kind}
                      </td>
                      <td className="nowrap">{endpoint(a.source)}</td>
                      <td className="nowrap">{endpoint(a.target)}</td>
                      <td className={styles.subject}>{subject(a)}</td>
                      <td className={styles.outcome} data-outcome={a.dns && a.outcome === 'success' ? undefined : a.outcome}>
                        <Outcome of={a} />
                      </td>
                    </tr>
                    {open.has(a.id) && (
                      <tr>
                        <td colSpan={7} className={styles.detail}>
                          <div className={styles.copy}>
                            <Copy text={JSON.stringify(a, null, 2)} what="the activity as JSON" />
                          </div>
                          <pre className="json" tabIndex={0}>
                            {JSON.stringify(detail(a), null, 2)}
                          </pre>
                        </td>
                      </tr>
                    )}
                  </Fragment>
                ))}
              </tbody>
            </table>
          </div>
          {(list.length > shown || data.missing > 0) && (
            <div className={styles.more}>
              {list.length > shown && (
                <Button variant="default" onClick={() => setShown(shown + 8 * step)}>
                  Show {number(Math.min(8 * step, list.length - shown))} more
                </Button>
              )}
              {data.missing > 0 && <span className="dim small">{plural(data.missing, 'older activity is', 'older activities are')} no longer kept.</span>}
            </div>
          )}
        </>
      )}
    </section>
  )
}

function Outcome({ of: a }: { of: Activity }) {
  switch (a.outcome) {
    case 'success':
      // A DNS server answers without an error and without a record too: a zone
      // that it does not hand out, for one.
      if (a.kind === 'query.dns' && a.dns) {
        const { answers } = a.dns
        return (
          <>
            {answers > 0 ? <IconCheck size={14} aria-hidden /> : <IconMinus size={14} aria-hidden />} {answers > 0 ? plural(answers, 'record') : 'No records'}
          </>
        )
      }
      return (
        <>
          <IconCheck size={14} aria-hidden /> Success
        </>
      )
    case 'failure':
      return (
        <>
          <IconX size={14} aria-hidden /> {a.error ? <span className="mono" title="Refused">{a.error}</span> : 'Refused'}
        </>
      )
  }
  return (
    <>
      <IconMinus size={14} aria-hidden /> No answer
    </>
  )
}

const endpoint = (e: Activity['source']) => (
  <span title={e.port ? `${e.addr ?? e.host}, port ${e.port}` : undefined}>{e.host || e.addr || <span className="dim">not stated</span>}</span>
)

/** subject is whom or what the activity is about: the question, the thing acted on, or who acted. */
function subject(a: Activity): string {
  const thing =
    a.dns?.question ||
    (a.change && join(a.change.act, a.change.member, a.change.object)) ||
    (a.service && join(a.service.act, a.service.name)) ||
    (a.task && join(a.task.act, a.task.path)) ||
    (a.execution && join(a.execution.class, a.execution.method)) ||
    (a.netlogon && join(a.netlogon.call?.operation, a.netlogon.computer)) ||
    (a.smb && (a.smb.path || a.smb.share)) ||
    (a.rpc && join(a.rpc.operation, a.rpc.object)) ||
    a.certificate?.template ||
    a.netbios?.name
  if (thing) return thing
  if (a.account?.name || a.account?.sid) return a.account.name || a.account.sid || ''
  if (a.ldapSearch) return a.ldapSearch.filter || a.ldapSearch.base || ''
  return a.drs?.operation ?? ''
}

const join = (...parts: (string | undefined)[]) => parts.filter(Boolean).join(' · ')

/** detail leaves out what the row already says. */
function detail({ time: _t, kind: _k, outcome: _o, error: _e, origin: _f, ...rest }: Activity) {
  return rest
}
