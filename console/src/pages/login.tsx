import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { login, queries } from '../api'
import { Gate } from '../components/gate'
import styles from '../components/gate.module.css'

export function LoginPage() {
  const { next } = useSearch({ from: '/login' })
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const qc = useQueryClient()
  const router = useRouter()
  const navigate = useNavigate()
  const enter = useMutation({
    mutationFn: login,
    onSuccess: async (session) => {
      qc.clear() // what somebody else saw here
      qc.setQueryData(queries.session.queryKey, session)
      if (next?.startsWith('/') && !next.startsWith('//')) {
        router.history.replace(next)
      } else {
        await navigate({ to: '/alerts', replace: true })
      }
    },
    onError: () => setPassword(''),
  })
  return (
    <Gate title="Log in">
      <form
        className={styles.form}
        onSubmit={(e) => {
          e.preventDefault()
          enter.mutate({ name: name.trim(), password })
        }}
      >
        {enter.error && (
          <div className={styles.error} role="alert">
            {enter.error.message}
          </div>
        )}
        <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} autoComplete="username" autoFocus required withAsterisk={false} maxLength={64} />
        <PasswordInput
          label="Password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="current-password" required withAsterisk={false} maxLength={256}
          visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
        />
        <Button type="submit" size="sm" mt={4} loading={enter.isPending}>
          Log in
        </Button>
      </form>
    </Gate>
  )
}
