import { ActionIcon, Drawer, Menu, Tooltip, UnstyledButton, useMantineColorScheme } from '@mantine/core'
import {
  IconActivityHeartbeat,
  IconBell,
  IconCheck,
  IconChevronDown,
  IconDeviceDesktop,
  IconLogout,
  IconMoon,
  IconPlugConnectedX,
  IconRadar2,
  IconServer2,
  IconSun,
  IconUserCircle,
} from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { logout, queries } from '../api'
import { useLink, useLive } from '../live'
import { number, plural, Time } from '../time'
import { Logo } from './logo'
import { SeverityMark } from './marks'
import styles from './shell.module.css'
import { Empty } from './states'

const icon = { size: 18, stroke: 1.6, 'aria-hidden': true } as const

/** Shell is what stands around every page of somebody logged in. */
export function Shell() {
  useLive()
  const { data: session } = useQuery(queries.session)
  const { data: open } = useQuery(queries.open)
  const count = open ? open.high + open.medium + open.low : 0

  useEffect(() => {
    document.title = count > 0 ? `(${number(count)}) Verderer` : 'Verderer'
  }, [count])

  return (
    <div className={styles.shell}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className={styles.header}>
        <Link to="/alerts" className={styles.brand}>
          <Logo />
          <span>Verderer</span>
        </Link>
        <LiveMark />
        <Health />
        <Theme />
        {session?.user && <UserMenu name={session.user.name} role={session.user.role} />}
      </header>
      <nav className={styles.nav} aria-label="Pages">
        <Link to="/alerts" className={styles.item} title="Alerts" activeProps={{ 'data-active': true }} activeOptions={{ includeSearch: false }}>
          <IconBell {...icon} />
          <span className={styles.word}>Alerts</span>
          {count > 0 && (
            <span className={styles.count} data-tone={open?.high ? 'high' : 'medium'} data-testid="open-count">
              {number(count)}
              <span className="sr"> open</span>
            </span>
          )}
        </Link>
        <Link to="/detections/{-$id}" params={{ id: undefined }} className={styles.item} title="Detections" activeProps={{ 'data-active': true }}>
          <IconRadar2 {...icon} />
          <span className={styles.word}>Detections</span>
        </Link>
        <Link to="/sensors/{-$id}" params={{ id: undefined }} className={styles.item} title="Sensors" activeProps={{ 'data-active': true }}>
          <IconServer2 {...icon} />
          <span className={styles.word}>Sensors</span>
        </Link>
        <div className={styles.version}>{session?.version}</div>
      </nav>
      <main id="main" tabIndex={-1} className={styles.main}>
        <Lost />
        <Outlet />
      </main>
    </div>
  )
}

const links = {
  connecting: { word: 'Connecting', text: 'Connecting to the stream of live updates.' },
  live: { word: 'Live', text: 'Pages bring themselves up to date.' },
  reconnecting: { word: 'Reconnecting', text: 'The center does not answer. What is shown may be out of date until it does.' },
}

const patience = 2_000 // ms: a connection that is back by then is not worth a word

/** Lost says that the page no longer shows what is. */
function Lost() {
  const link = useLink()
  const [long, setLong] = useState(false)
  useEffect(() => {
    if (link !== 'reconnecting') {
      return setLong(false)
    }
    const t = window.setTimeout(() => setLong(true), patience)
    return () => window.clearTimeout(t)
  }, [link])
  return (
    <div role="status" data-testid="lost">
      {long && (
        <p className={styles.lost}>
          <IconPlugConnectedX size={16} stroke={1.7} aria-hidden />
          <span>
            <strong>The center does not answer.</strong> What is shown may be out of date. The page brings itself up to date when the center is back.
          </span>
        </p>
      )}
    </div>
  )
}

function LiveMark() {
  const link = useLink()
  return (
    <Tooltip label={links[link].text} multiline maw={260}>
      <span className={styles.live} data-link={link} role="status" data-testid="live">
        <span className="dot" aria-hidden />
        {links[link].word}
      </span>
    </Tooltip>
  )
}

function Health() {
  const { data: issues, isError } = useQuery(queries.health)
  const [opened, setOpened] = useState(false)
  const n = issues?.length ?? 0
  const label = isError ? 'Health is not known' : n === 0 ? 'No health issue' : plural(n, 'health issue')
  return (
    <>
      <Tooltip label={label}>
        <UnstyledButton className={styles.health} data-tone={isError ? 'medium' : (issues?.[0]?.severity ?? 'good')} onClick={() => setOpened(true)} aria-label={label}>
          <IconActivityHeartbeat {...icon} />
          {n > 0 && <span className="num">{n}</span>}
        </UnstyledButton>
      </Tooltip>
      <Drawer opened={opened} onClose={() => setOpened(false)} position="right" size={440} title={<strong>Health</strong>} closeButtonProps={{ 'aria-label': 'Close' }}>
        {n === 0 ? (
          <Empty icon={<IconActivityHeartbeat size={28} stroke={1.5} aria-hidden />} title={isError ? 'Not known' : 'Nothing is wrong'}>
            {isError ? 'The center did not answer.' : 'Sensors that fall silent, late data and full disks are listed here.'}
          </Empty>
        ) : (
          <ul className={styles.issues}>
            {issues?.map((i) => (
              <li key={i.kind + i.subject}>
                <div className={styles.issueHead}>
                  <SeverityMark severity={i.severity} />
                  <span className="dim tiny">
                    <Time at={i.since} as="age" />
                  </span>
                </div>
                <p>{i.text}</p>
                <p className="dim">{i.remedy}</p>
                {i.subject && i.kind.startsWith('sensor') && (
                  <Link to="/sensors/{-$id}" params={{ id: i.subject }} onClick={() => setOpened(false)}>
                    Open the sensor
                  </Link>
                )}
              </li>
            ))}
          </ul>
        )}
      </Drawer>
    </>
  )
}

const themes = [
  { scheme: 'light', word: 'Light', icon: <IconSun size={16} aria-hidden /> },
  { scheme: 'dark', word: 'Dark', icon: <IconMoon size={16} aria-hidden /> },
  { scheme: 'auto', word: 'As the system', icon: <IconDeviceDesktop size={16} aria-hidden /> },
] as const

/** Theme lets people choose light, dark or what their system says. */
export function Theme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  return (
    <Menu position="bottom-end" width={190}>
      <Menu.Target>
        <ActionIcon size={32} aria-label="Theme">
          {colorScheme === 'dark' ? <IconMoon {...icon} /> : colorScheme === 'light' ? <IconSun {...icon} /> : <IconDeviceDesktop {...icon} />}
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {themes.map((t) => (
          <Menu.Item
            key={t.scheme} leftSection={t.icon} onClick={() => setColorScheme(t.scheme)}
            rightSection={colorScheme === t.scheme ? <IconCheck size={14} aria-label="chosen" /> : null}
          >
            {t.word}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function UserMenu({ name, role }: { name: string; role: string }) {
  const qc = useQueryClient()
  const navigate = useNavigate()
  const leave = useMutation({
    mutationFn: logout,
    onSuccess: async () => {
      qc.clear()
      await navigate({ to: '/login', search: {} })
    },
  })
  return (
    <Menu position="bottom-end" width={200}>
      <Menu.Target>
        <UnstyledButton className={styles.user} aria-label={`Account ${name}`}>
          <IconUserCircle {...icon} />
          <span className="cut">{name}</span>
          <IconChevronDown size={14} aria-hidden />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {name}, {role}
        </Menu.Label>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => leave.mutate()}>
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
