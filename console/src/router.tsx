import type { QueryClient } from '@tanstack/react-query'
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router'
import { queries, Refusal, type Severity, type Status } from './api'
import { Failed, Loading, NotFound } from './components/states'
import { Shell } from './components/shell'

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  component: Outlet,
  notFoundComponent: () => <NotFound what="page" />,
})

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('./pages/setup'), 'SetupPage'),
})

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (s: Record<string, unknown>): { next?: string } => ({ next: typeof s.next === 'string' ? s.next : undefined }),
  beforeLoad: async ({ context }) => {
    const session = await context.queryClient.ensureQueryData(queries.session)
    if (session.setupNeeded) {
      throw redirect({ to: '/setup' })
    }
    if (session.user) {
      throw redirect({ to: '/alerts' })
    }
  },
  component: lazyRouteComponent(() => import('./pages/login'), 'LoginPage'),
})

// Everything below the shell is for people who are logged in.
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  beforeLoad: async ({ context, location }) => {
    const session = await context.queryClient.ensureQueryData(queries.session)
    if (session.setupNeeded) {
      throw redirect({ to: '/setup' })
    }
    if (!session.user) {
      throw redirect({ to: '/login', search: location.href === '/' ? {} : { next: location.href } })
    }
  },
  component: Shell,
})

const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/alerts' })
  },
})

/** AlertSearch is the timeline's filter in the address: /alerts?severity=high,medium */
export type AlertSearch = { status?: Status | 'all'; severity?: string; detection?: string; q?: string }

const statuses: unknown[] = ['open', 'closed', 'suppressed', 'all']
const severities: unknown[] = ['high', 'medium', 'low'] satisfies Severity[]
const text = (v: unknown) => (typeof v === 'string' && v !== '' ? v.slice(0, 200) : undefined)

const alerts = createRoute({
  getParentRoute: () => shell,
  path: '/alerts',
  validateSearch: (s: Record<string, unknown>): AlertSearch => ({
    status: statuses.includes(s.status) && s.status !== 'open' ? (s.status as AlertSearch['status']) : undefined,
    severity: text(text(s.severity)?.split(',').filter((v) => severities.includes(v)).join(',')),
    detection: text(s.detection)?.slice(0, 100),
    q: text(s.q),
  }),
  component: lazyRouteComponent(() => import('./pages/alerts'), 'AlertsPage'),
})

const alert = createRoute({
  getParentRoute: () => shell,
  path: '/alerts/$id',
  component: lazyRouteComponent(() => import('./pages/alert'), 'AlertPage'),
})

const detections = createRoute({
  getParentRoute: () => shell,
  path: '/detections/{-$id}',
  component: lazyRouteComponent(() => import('./pages/detections'), 'DetectionsPage'),
})

const sensors = createRoute({
  getParentRoute: () => shell,
  path: '/sensors/{-$id}',
  component: lazyRouteComponent(() => import('./pages/sensors'), 'SensorsPage'),
})

const tree = root.addChildren([setup, login, shell.addChildren([home, alerts, alert, detections, sensors])])

// A page's code did not come, or threw.
const missing = new Error('This page did not load: the center does not answer, or was updated meanwhile.')

export function makeRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queryClient },
    defaultPreload: 'intent',
    defaultPendingComponent: Loading,
    defaultErrorComponent: ({ error }) => <Failed error={error instanceof Refusal ? error : missing} retry={() => location.reload()} />,
    scrollRestoration: true,
    // Plain text in the address, for people to read and to change.
    parseSearch: (s) => Object.fromEntries(new URLSearchParams(s)),
    stringifySearch: (o) => {
      const set = Object.entries(o).filter((e): e is [string, string] => typeof e[1] === 'string')
      return set.length ? '?' + new URLSearchParams(set).toString().replaceAll('%2C', ',') : ''
    },
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
