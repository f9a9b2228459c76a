import { ActionIcon, Button, createTheme, localStorageColorSchemeManager, Modal, Tooltip, type MantineColorsTuple } from '@mantine/core'

const spruce: MantineColorsTuple = ['#ebf6f2', '#d3e9e1', '#a6d3c4', '#76bca5', '#4ca58a', '#2c8f74', '#1b7a61', '#0f6650', '#0b5442', '#073f32']
const gray: MantineColorsTuple = ['#f7f9f9', '#eff2f2', '#e4e9e9', '#d6dddd', '#bfc9c9', '#98a4a4', '#5c6868', '#445050', '#2c3737', '#182020']
const dark: MantineColorsTuple = ['#e1e6e8', '#c3cbce', '#9ba7ac', '#737f85', '#364045', '#2a3337', '#1f272a', '#161c1f', '#101517', '#0a0d0e']

/** The theme: system fonts, small sizes, one accent. Colours of severities and
 * states are variables in console.css. */
export const theme = createTheme({
  primaryColor: 'spruce',
  primaryShade: { light: 7, dark: 6 },
  colors: { spruce, gray, dark },
  black: '#182020',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, "Liberation Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  defaultRadius: 6,
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 30 } }),
    Button: Button.extend({ defaultProps: { size: 'xs' } }),
    Modal: Modal.extend({ defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.45 }, transitionProps: { duration: 120 } } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300, events: { hover: true, focus: true, touch: false } } }),
  },
})

export const colorScheme = localStorageColorSchemeManager({ key: 'verderer-theme' })
