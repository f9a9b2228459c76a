import { Button, Skeleton } from '@mantine/core'
import { IconAlertTriangle, IconZoomQuestion } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'

type EmptyProps = { icon?: ReactNode; title: string; children?: ReactNode; action?: ReactNode; heading?: 'h1' | 'h2' }

/** Empty says what is not there, and what to do about it. */
export function Empty({ icon, title, children, action, heading: Heading = 'h2' }: EmptyProps) {
  return (
    <div className="empty">
      {icon}
      <Heading>{title}</Heading>
      {children && <p className="small">{children}</p>}
      {action && <div className="do">{action}</div>}
    </div>
  )
}

/** Failed shows what went wrong, with a way to try again. */
export function Failed({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <div role="alert">
      <Empty
        icon={<IconAlertTriangle size={28} stroke={1.5} aria-hidden />}
        title="This could not be loaded"
        action={
          <Button variant="default" onClick={retry}>
            Try again
          </Button>
        }
      >
        {error.message}
      </Empty>
    </div>
  )
}

export function NotFound({ what, children }: { what: string; children?: ReactNode }) {
  return (
    <Empty
      icon={<IconZoomQuestion size={28} stroke={1.5} aria-hidden />}
      heading="h1" title={`There is no such ${what}`}
      action={
        <Button variant="default" renderRoot={(props) => <Link to="/alerts" {...props} />}>
          To the alerts
        </Button>
      }
    >
      {children ?? 'The address may be mistyped.'}
    </Empty>
  )
}

/** Loading holds the place of a page that is on its way. */
export function Loading() {
  return (
    <div className="page" aria-busy="true">
      <span className="sr" role="status">
        Loading
      </span>
      <Skeleton height={26} width={180} mb={20} />
      <Skeleton height={34} mb={16} />
      <Rows n={5} />
    </div>
  )
}

/** Rows holds the place of a list. */
export function Rows({ n, height = 62 }: { n: number; height?: number }) {
  return (
    <div className="card" aria-busy="true">
      {Array.from({ length: n }, (_, i) => (
        <div key={i} style={{ padding: '12px 16px', borderTop: i ? '1px solid var(--line-soft)' : undefined, height }}>
          <Skeleton height={13} width={`${34 - ((i * 7) % 13)}%`} mb={10} />
          <Skeleton height={11} width={`${68 - ((i * 11) % 19)}%`} />
        </div>
      ))}
    </div>
  )
}
