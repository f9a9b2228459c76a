import '@mantine/core/styles.css'
import './console.css'
import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { setNonce } from 'get-nonce'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { makeQueryClient, queries, type Session } from './api'
import { makeRouter } from './router'
import { colorScheme, theme } from './theme'

const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? ''
setNonce(nonce) // for the <style> by which dialogs keep the page behind from scrolling

const queryClient = makeQueryClient(() => {
  if (location.pathname === '/login') {
    return // several calls find out at once
  }
  queryClient.setQueryData(queries.session.queryKey, (s: Session | undefined) => s && { ...s, user: undefined })
  void router.navigate({ to: '/login', search: { next: location.pathname + location.search }, replace: true })
})
const router = makeRouter(queryClient)

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} colorSchemeManager={colorScheme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
