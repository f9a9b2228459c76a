import { infiniteQueryOptions, QueryClient, queryOptions } from '@tanstack/react-query'
import createClient from 'openapi-fetch'
import type { components, paths } from './generated/api'

type Schemas = components['schemas']
export type Account = Schemas['Party']
export type Activity = Schemas['Activity']
export type Alert = Schemas['Alert']
export type AlertDetail = Schemas['AlertDetail']
export type AlertEvent = Schemas['AlertEvent']
export type AlertSummary = Schemas['AlertSummary']
export type AccessKey = Schemas['AccessKey']
export type Computer = Schemas['Computer']
export type Detection = Schemas['Detection']
export type Evidence = Schemas['Evidence']
export type Guidance = Schemas['Guidance']
export type HealthIssue = Schemas['HealthIssue']
export type HistoryEntry = Schemas['HistoryEntry']
export type Sensor = Schemas['Sensor']
export type Session = Schemas['Session']
export type Severity = Alert['severity']
export type ShownAccessKey = Schemas['ShownAccessKey']
export type Status = Alert['status']

/** Refusal is an answer other than the one asked for, in words for people. */
export class Refusal extends Error {
  constructor(
    readonly status: number, // 0: no answer
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

const client = createClient<paths>()

type Answer<T> = { data?: T; error?: unknown; response: Response }

/** ask returns what the center answered, or throws a Refusal. */
async function ask<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await call
  } catch {
    throw new Refusal(0, 'unreachable', 'The center does not answer. Check that it runs, and the network between.')
  }
  if (answer.response.ok) {
    return answer.data as T
  }
  const p = answer.error as Partial<Schemas['Problem']> | undefined
  const fields = p?.errors?.map((e) => (e.location ? `${e.location.replace(/^body\./, '')}: ${e.message}` : e.message)) ?? []
  throw new Refusal(
    answer.response.status,
    p?.code ?? 'unknown',
    [p?.detail ?? `The center answered ${answer.response.status} ${answer.response.statusText}.`, ...fields].join(' '),
  )
}

export const login = (body: Schemas['Login']) => ask(client.POST('/api/v1/session', { body }))
export const logout = () => ask(client.DELETE('/api/v1/session'))
export const setup = (body: Schemas['Setup']) => ask(client.POST('/api/v1/setup', { body }))
export const createAccessKey = (body: Schemas['NewAccessKey']) => ask(client.POST('/api/v1/access-keys', { body }))
export const deleteAccessKey = (id: string) => ask(client.DELETE('/api/v1/access-keys/{id}', { params: { path: { id } } }))
export const removeSensor = (id: string) => ask(client.DELETE('/api/v1/sensors/{id}', { params: { path: { id } } }))

/** Act is what a person does to an alert. */
export type Act = 'close' | 'reopen' | 'note'

export function act(id: string, what: Act, comment: string): Promise<AlertDetail> {
  const init = { params: { path: { id } }, body: comment ? { comment } : {} }
  switch (what) {
    case 'close':
      return ask(client.POST('/api/v1/alerts/{id}/close', init))
    case 'reopen':
      return ask(client.POST('/api/v1/alerts/{id}/reopen', init))
    case 'note':
      return ask(client.POST('/api/v1/alerts/{id}/note', init))
  }
}

/** Filter is the timeline's, as it stands in the page's address. */
export type Filter = { status?: Status[]; severity?: Severity[]; detection?: string; q?: string }

// The first page is there at once; whoever reads on gets more at a time, because
// every page that is shown is asked for anew when an alert changes.
const pageSize = { first: 50, next: 200 }

export const queries = {
  session: queryOptions({
    queryKey: ['session'],
    queryFn: () => ask(client.GET('/api/v1/session')),
    staleTime: Infinity,
  }),
  alerts: (filter: Filter) =>
    infiniteQueryOptions({
      queryKey: ['alerts', 'list', filter],
      queryFn: ({ pageParam }) =>
        ask(client.GET('/api/v1/alerts', { params: { query: { ...filter, before: pageParam || undefined, limit: pageParam ? pageSize.next : pageSize.first } } })),
      initialPageParam: '',
      getNextPageParam: (last) => last.next,
    }),
  open: queryOptions({
    queryKey: ['alerts', 'open'],
    queryFn: async () => (await ask(client.GET('/api/v1/alerts', { params: { query: { status: ['open'], limit: 1 } } }))).open,
  }),
  alert: (id: string) =>
    queryOptions({
      queryKey: ['alert', id],
      queryFn: () => ask(client.GET('/api/v1/alerts/{id}', { params: { path: { id } } })),
    }),
  activities: (id: string) =>
    queryOptions({
      queryKey: ['alert', id, 'activities'],
      queryFn: () => ask(client.GET('/api/v1/alerts/{id}/activities', { params: { path: { id } } })),
    }),
  detections: queryOptions({
    queryKey: ['detections'],
    queryFn: async () => (await ask(client.GET('/api/v1/detections'))).detections,
    refetchInterval: 30_000,
  }),
  sensors: queryOptions({
    queryKey: ['sensors'],
    queryFn: async () => (await ask(client.GET('/api/v1/sensors'))).sensors,
    refetchInterval: 5_000, // counters change without an event
  }),
  accessKeys: queryOptions({
    queryKey: ['access-keys'],
    queryFn: async () => (await ask(client.GET('/api/v1/access-keys'))).accessKeys,
  }),
  checklist: queryOptions({
    queryKey: ['checklist'],
    queryFn: () => ask(client.GET('/api/v1/checklist')),
  }),
  health: queryOptions({
    queryKey: ['health'],
    queryFn: async () => (await ask(client.GET('/api/v1/health'))).issues,
  }),
}

/** onLoggedOut is called when the center no longer knows the session. */
export function makeQueryClient(onLoggedOut: () => void): QueryClient {
  const qc: QueryClient = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        retry: (failures, error) => failures < 2 && !(error instanceof Refusal && error.status >= 400 && error.status < 500),
      },
    },
  })
  const watch = (error: unknown) => {
    if (error instanceof Refusal && error.code === 'not-logged-in') {
      onLoggedOut()
    }
  }
  qc.getQueryCache().config.onError = watch
  qc.getMutationCache().config.onError = watch
  return qc
}
