import { IconQuote, IconScale, IconTag } from '@tabler/icons-react'
import type { Alert, Evidence as Piece, Severity } from '../api'
import { number } from '../time'
import styles from './evidence.module.css'

/** Evidence is why the detection thinks so: numbers first, then statements, and
 * set apart what would make it harmless. */
export function Evidence({ alert }: { alert: Alert }) {
  const of = (kind: Piece['kind']) => alert.evidence.filter((e) => e.kind === kind)
  const comparisons = of('comparison')
  const statements = of('statement')
  const resolutions = of('resolution')
  const harmless = of('legitimate')
  return (
    <section className="card" aria-labelledby="evidence">
      <header>
        <h2 id="evidence">Evidence</h2>
      </header>
      <div className={styles.body}>
        {comparisons.length > 0 && (
          <div className={styles.comparisons}>
            {comparisons.map((e) => (
              <Comparison key={e.text} piece={e} severity={alert.severity} />
            ))}
          </div>
        )}
        {statements.length > 0 && (
          <ul className={styles.lines}>
            {statements.map((e) => (
              <li key={e.text}>
                <IconQuote size={15} stroke={1.7} aria-hidden />
                <span>{e.text}</span>
              </li>
            ))}
          </ul>
        )}
        {resolutions.length > 0 && (
          <div>
            <h3 className="dim">How names were found</h3>
            <ul className={styles.lines}>
              {resolutions.map((e) => (
                <li key={e.text}>
                  <IconTag size={15} stroke={1.7} aria-hidden />
                  <span>{e.text}</span>
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
      {harmless.map((e) => (
        <div key={e.text} className={styles.harmless}>
          <IconScale size={18} stroke={1.6} aria-hidden />
          <div>
            <h3>What would make it harmless</h3>
            <p>{e.text}</p>
          </div>
        </div>
      ))}
    </section>
  )
}

/** parse takes the name out of "distinct names: 57 within 10 minutes (threshold 10)". */
function parse(e: Piece): { name: string; window: string; unit: string } {
  const at = e.text.lastIndexOf(`: ${e.value}`)
  if (at < 0) {
    return { name: e.text, window: '', unit: '' }
  }
  let name = e.text.slice(0, at)
  const rest = e.text.slice(at + `: ${e.value}`.length)
  const unit = name.endsWith(' in percent') ? ' %' : ''
  name = name.replace(/ in percent$/, '')
  return { name, unit, window: rest.replace(/\(threshold \d+\)/, '').trim() }
}

function Comparison({ piece, severity }: { piece: Piece; severity: Severity }) {
  const { name, window, unit } = parse(piece)
  const value = piece.value ?? 0
  const { threshold } = piece
  const end = Math.max(value, (threshold ?? 0) * 1.5)
  const share = (n: number) => (end > 0 ? (n / end) * 100 : 0)
  return (
    <div className={styles.comparison}>
      <div className={styles.value}>
        {number(value)}
        {unit}
      </div>
      <div>
        <p>
          {name}
          <span className="dim">
            {threshold !== undefined && `\u2002threshold ${number(threshold)}${unit}`}
            {window && `${threshold !== undefined ? ', ' : '\u2002'}${window}`}
          </span>
        </p>
        {threshold !== undefined && (
          <svg className={styles.bar} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden>
            <rect x="0" y="1.5" width="100" height="5" rx="0.4" className={styles.track} />
            <rect x="0" y="1.5" width={share(value)} height="5" rx="0.4" className={value >= threshold ? styles.over : styles.under} data-severity={severity} />
            <rect x={share(threshold) - 0.15} y="0" width="0.3" height="8" className={styles.threshold} />
          </svg>
        )}
      </div>
    </div>
  )
}
