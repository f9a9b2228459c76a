import { ActionIcon, Tooltip } from '@mantine/core'
import { useClipboard } from '@mantine/hooks'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import styles from './copy.module.css'

export function Copy({ text, what }: { text: string; what: string }) {
  const clipboard = useClipboard({ timeout: 2000 })
  return (
    <>
      <Tooltip label={clipboard.copied ? 'Copied' : `Copy ${what}`}>
        <ActionIcon aria-label={`Copy ${what}`} onClick={() => clipboard.copy(text)}>
          {clipboard.copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
        </ActionIcon>
      </Tooltip>
      <span className="sr" role="status">
        {clipboard.copied ? 'Copied' : ''}
      </span>
    </>
  )
}

/** Command is what is to be run elsewhere, a line for each command. */
export function Command({ text }: { text: string }) {
  return (
    <div className={styles.command}>
      <code data-lines={text.includes('\n') || undefined} tabIndex={0}>
        {text}
      </code>
      <Copy text={text} what={text.includes('\n') ? 'the commands' : 'the command'} />
    </div>
  )
}
