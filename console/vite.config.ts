import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The center replaces __CSP_NONCE__ in index.html by a nonce of the response,
// and allows it in style-src: Mantine writes its variables as a <style> element.
export default defineConfig({
  plugins: [react()],
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // no data: URLs, so that the policy needs none
    modulePreload: { polyfill: false },
    reportCompressedSize: false, // tools/size.mjs prints what counts
  },
  // npm run dev shows changes at once, in front of a center that runs.
  server: {
    proxy: { '/api': { target: process.env.VERDERER ?? 'https://127.0.0.1:8443', secure: false } },
  },
})
