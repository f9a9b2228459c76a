import { Link } from '@tanstack/react-router'
import { lexer, type Token, type Tokens } from 'marked'
import { useMemo, type ReactNode } from 'react'

/** Markdown renders text as React elements: there is no HTML in between, and
 * HTML in the text stays text. */
export function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => lexer(text), [text])
  return <div className="prose">{blocks(tokens)}</div>
}

const blocks = (tokens: Token[] | undefined): ReactNode[] => (tokens ?? []).map((t, i) => <Part key={i} token={t} />)

function Part({ token }: { token: Token }): ReactNode {
  const t = token as Tokens.Generic
  const inside = () => blocks(t.tokens)
  switch (t.type) {
    case 'space':
      return null
    case 'paragraph':
      return <p>{inside()}</p>
    case 'heading':
      return <h3>{inside()}</h3>
    case 'list': {
      const items = (t as Tokens.List).items.map((item, i) => <li key={i}>{blocks(item.tokens)}</li>)
      return t.ordered ? <ol start={Number(t.start) || 1}>{items}</ol> : <ul>{items}</ul>
    }
    case 'blockquote':
      return <blockquote>{inside()}</blockquote>
    case 'code':
      return (
        <pre tabIndex={0}>
          <code>{t.text}</code>
        </pre>
      )
    case 'table': {
      const table = t as Tokens.Table
      return (
        <table>
          <thead>
            <tr>
              {table.header.map((c, i) => (
                <th key={i}>{blocks(c.tokens)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map((row, i) => (
              <tr key={i}>
                {row.map((c, j) => (
                  <td key={j}>{blocks(c.tokens)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )
    }
    case 'hr':
      return <hr />
    case 'br':
      return <br />
    case 'strong':
      return <strong>{inside()}</strong>
    case 'em':
      return <em>{inside()}</em>
    case 'del':
      return <del>{inside()}</del>
    case 'codespan':
      return <code>{t.text}</code>
    case 'link':
      return <Anchor href={String(t.href)}>{inside()}</Anchor>
    case 'text':
      return t.tokens ? inside() : unescape(String(t.text))
    case 'escape':
      return String(t.text)
    default: // images and HTML among them
      return String(t.raw ?? '')
  }
}

/** Links lead to another detection's page or to the web; others, which lead
 * into the source tree, are text. */
function Anchor({ href, children }: { href: string; children: ReactNode }) {
  const detection = /^\.\.\/([a-z0-9]+)\/README\.md$/.exec(href)
  if (detection) {
    return (
      <Link to="/detections/{-$id}" params={{ id: detection[1] }}>
        {children}
      </Link>
    )
  }
  if (/^https?:\/\//.test(href)) {
    return (
      <a href={href} target="_blank" rel="noreferrer">
        {children}
      </a>
    )
  }
  return children
}

/** unescape undoes the entities that marked puts into text. */
const unescape = (s: string) =>
  s.replace(/&(amp|lt|gt|quot|#39);/g, (_, e: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" })[e] ?? '')
