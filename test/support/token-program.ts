import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What plays `aklog` and `unlog`: it keeps a token per user in a file, and writes down how it was called. */
export interface TokenProgram {
  readonly program: string
  /** Lines of `what user uid:gid variables password`. */
  calls(): Promise<readonly string[]>
  /** What a token holds; undefined: there is none. */
  token(user: string): Promise<string | undefined>
}

/** Makes one that anybody can run; `fail` and `hang` are names of users with whom it does so. */
export async function tokenProgram(folder: string): Promise<TokenProgram> {
  const place = join(folder, 'cell')
  await mkdir(place, { recursive: true })
  await chmod(place, 0o777)
  const program = join(folder, 'token')
  await writeFile(
    program,
    `#!/bin/sh
what=$2
password=$(cat)
echo "$1 $what $USER $(id -u):$(id -g) HOME=$HOME SERVICE=$SERVICE REMOTE=$REMOTE SESSION=$SESSION groups=$(id -G)" >> ${place}/calls
chmod 666 ${place}/calls 2>/dev/null
case "$USER:$what" in
  fail:obtain) echo "no such principal in the cell" >&2; exit 2 ;;
  hang:obtain) sleep 600 ;;
esac
case $what in
  obtain) printf %s "$password" > ${place}/token-$USER ;;
  drop) rm -f ${place}/token-$USER ;;
esac
`,
    { mode: 0o755 },
  )
  await chmod(program, 0o755)
  return {
    program,
    calls: async () => (await readFile(join(place, 'calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
    token: (user) => readFile(join(place, `token-${user}`), 'utf8').catch(() => undefined),
  }
}
