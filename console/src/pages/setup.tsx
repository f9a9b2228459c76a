import { Button, PasswordInput, TextInput } from '@mantine/core'
import { IconCheck, IconCircle } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Navigate, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { queries, setup } from '../api'
import { Gate } from '../components/gate'
import styles from '../components/gate.module.css'
import { Failed } from '../components/states'

const minPassword = 12 // the API's rule

export function SetupPage() {
  const session = useQuery(queries.session)
  const [token, setToken] = useState(() => location.hash.slice(1))
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const qc = useQueryClient()
  const navigate = useNavigate()
  const create = useMutation({
    mutationFn: setup,
    onSuccess: async (s) => {
      qc.setQueryData(queries.session.queryKey, s)
      await navigate({ to: '/alerts', replace: true })
    },
  })

  if (session.error) {
    return (
      <Gate title="Set up">
        <Failed error={session.error} retry={() => void session.refetch()} />
      </Gate>
    )
  }
  if (session.data && !session.data.setupNeeded && !create.isPending && !create.isSuccess) {
    return <Navigate to={session.data.user ? '/alerts' : '/login'} search={{}} replace />
  }

  const rules = [
    { text: `${minPassword} characters or more`, kept: password.length >= minPassword },
    { text: 'not the name', kept: password !== '' && password.toLowerCase() !== name.trim().toLowerCase() },
    { text: 'the same both times', kept: password !== '' && password === again },
  ]
  const ready = token.trim() !== '' && name.trim() !== '' && rules.every((r) => r.kept)
  const show = { visibilityToggleButtonProps: { 'aria-label': 'Show the password' } }

  return (
    <Gate title="Create the first administrator" lead="There is no account yet. This one may do everything.">
      <form
        className={styles.form}
        onSubmit={(e) => {
          e.preventDefault()
          if (ready) {
            create.mutate({ token: token.trim(), name: name.trim(), password })
          }
        }}
      >
        {create.error && (
          <div className={styles.error} role="alert">
            {create.error.message}
          </div>
        )}
        {location.hash.length < 2 && (
          <TextInput
            label="Set-up code" description="What stands behind the # of the link that the center printed at its first start."
            value={token} onChange={(e) => setToken(e.currentTarget.value.replace(/^.*#/, ''))} required withAsterisk={false} autoComplete="off"
          />
        )}
        <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} autoComplete="username" autoFocus required withAsterisk={false} maxLength={64} />
        <PasswordInput label="Password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="new-password" required withAsterisk={false} maxLength={256} aria-describedby="rules" {...show} />
        <PasswordInput label="Password again" value={again} onChange={(e) => setAgain(e.currentTarget.value)} autoComplete="new-password" required withAsterisk={false} maxLength={256} {...show} />
        <ul id="rules" className={styles.rules}>
          {rules.map((r) => (
            <li key={r.text} data-kept={r.kept}>
              {r.kept ? <IconCheck size={14} aria-label="kept:" /> : <IconCircle size={14} aria-label="not yet:" />}
              {r.text}
            </li>
          ))}
        </ul>
        <Button type="submit" size="sm" mt={4} loading={create.isPending} disabled={!ready}>
          Create the account
        </Button>
      </form>
    </Gate>
  )
}
