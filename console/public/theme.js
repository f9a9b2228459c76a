// Before the first paint: the theme that was chosen, or the system's.
;(function () {
  var chosen = null
  try {
    chosen = localStorage.getItem('verderer-theme')
  } catch (e) {
    // storage is blocked: the system's
  }
  var dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light')
})()
