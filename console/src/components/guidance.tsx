import { Tabs } from '@mantine/core'
import type { Guidance as Parts } from '../api'
import { Markdown } from './markdown'
import styles from './guidance.module.css'

const parts: { key: keyof Parts; word: string }[] = [
  { key: 'whatHappened', word: 'What happened' },
  { key: 'howToCheck', word: 'How to check' },
  { key: 'falsePositives', word: 'False positives' },
  { key: 'response', word: 'Response' },
]

/** Guidance is the detection's own page, part by part. */
export function Guidance({ parts: guidance, first }: { parts: Parts; first: keyof Parts }) {
  const there = parts.filter((p) => guidance[p.key].trim() !== '')
  if (there.length === 0) {
    return <p className="dim small">This detection has no page.</p>
  }
  return (
    <Tabs defaultValue={guidance[first] ? first : there[0]!.key} classNames={{ list: styles.list, tab: styles.tab, panel: styles.panel }}>
      <Tabs.List aria-label="Guidance">
        {there.map((p) => (
          <Tabs.Tab key={p.key} value={p.key}>
            {p.word}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {there.map((p) => (
        <Tabs.Panel key={p.key} value={p.key}>
          <Markdown text={guidance[p.key]} />
        </Tabs.Panel>
      ))}
    </Tabs>
  )
}
