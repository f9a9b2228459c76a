import type { ReactNode } from 'react'
import styles from './gate.module.css'
import { Logo } from './logo'
import { Theme } from './shell'

/** Gate is the page of somebody who is not logged in. */
export function Gate({ title, lead, children }: { title: string; lead?: string; children: ReactNode }) {
  return (
    <div className={styles.gate}>
      <header className={styles.top}>
        <Theme />
      </header>
      <main className={styles.main}>
        <div className={styles.brand}>
          <Logo size={36} />
          <span>Verderer</span>
        </div>
        <div className={`card ${styles.card}`}>
          <h1>{title}</h1>
          {lead && <p className="dim small">{lead}</p>}
          {children}
        </div>
      </main>
    </div>
  )
}
