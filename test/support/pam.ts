import { existsSync, readdirSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Folders in which a Debian or Fedora machine keeps PAM's modules. */
const MODULES = ['/usr/lib/security', '/usr/lib64/security', ...(existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/security`) : [])]
/** Whether the modules with which these rules are made are there. */
export const hasPam = ['pam_exec', 'pam_debug', 'pam_deny', 'pam_permit', 'pam_echo', 'pam_faildelay'].every((name) => MODULES.some((folder) => existsSync(join(folder, `${name}.so`))))

/** Users of a table, checked by programs that PAM runs: unknown ones are told apart from wrong passwords. */
export async function pamTable(folder: string, name: string, users: readonly { readonly name: string; readonly password: string }[]): Promise<string> {
  await mkdir(folder, { recursive: true })
  const at = (what: string): string => join(folder, `${name}.${what}`)
  // A last letter, so that no shell takes a line end off a password.
  await writeFile(at('table'), users.map((u) => `${u.name}:${u.password}x\n`).join(''))
  await writeFile(at('names'), users.map((u) => `${u.name}\n`).join(''))
  await writeFile(at('known'), `#!/bin/sh\nexec grep -Fxq -e "$PAM_USER" ${at('names')}\n`)
  await writeFile(at('right'), `#!/bin/sh\np=$(tr -d '\\0'; echo x)\nexec grep -Fxq -e "$PAM_USER:$p" ${at('table')}\n`)
  await chmod(at('known'), 0o755)
  await chmod(at('right'), 0o755)
  return `auth [success=1 default=ignore] pam_exec.so quiet ${at('known')}
auth requisite pam_debug.so auth=user_unknown
auth [success=1 default=ignore] pam_exec.so quiet expose_authtok ${at('right')}
auth requisite pam_deny.so
auth required pam_permit.so
`
}
/** An account phase that lets everybody in. */
export const ANY_ACCOUNT = 'account required pam_permit.so\n'
/** A rule that never ends by itself: a program that sleeps. */
export async function pamSleep(folder: string, seconds: number): Promise<string> {
  await mkdir(folder, { recursive: true })
  const program = join(folder, `sleep-${seconds}`)
  await writeFile(program, `#!/bin/sh\nsleep ${seconds}\n`)
  await chmod(program, 0o755)
  return `auth required pam_exec.so quiet ${program}\n`
}
