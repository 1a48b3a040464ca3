import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, listens } from './ports.js'
import { run } from './programs.js'
import { RawPop3 } from './raw-pop3.js'
import { canMount } from './small-disk.js'

const PROGRAM = '/usr/sbin/popa3d'
/** Whether Debian's popa3d can be run for accounts that are not those of the machine, which takes a view of its own of a few files. */
export async function hasPopa3d(): Promise<boolean> {
  return canMount() && (await run('sh', ['-c', `test -x ${PROGRAM} && unshare --mount true && command -v socat`])).code === 0
}

/** popa3d, a connection at a time as inetd runs it, over a spool of ours that it takes for /var/mail, with accounts that only it sees. */
export class Popa3d implements AsyncDisposable {
  readonly port: number
  readonly #socat: ChildProcess
  private constructor(port: number, socat: ChildProcess) {
    this.port = port
    this.#socat = socat
  }
  /** @param accounts user ids by name; everybody's password is `secret` */
  static async start(folder: string, spool: string, accounts: Readonly<Record<string, number>>): Promise<Popa3d> {
    const hash = (await run('openssl', ['passwd', '-6', 'secret'])).stdout.trim()
    const own = {
      '/etc/passwd': (await readFile('/etc/passwd', 'utf8')) + Object.entries(accounts).map(([name, id]) => `${name}:x:${id}:${id}::/nonexistent:/usr/sbin/nologin\n`).join(''),
      '/etc/shadow': Object.keys(accounts).map((name) => `${name}:${hash}:19000:0:99999:7:::\n`).join(''),
      '/etc/pam.d/popa3d': 'auth required pam_unix.so\naccount required pam_permit.so\n',
    }
    const mounts = [`mount --bind ${spool} /var/mail`]
    for (const [path, text] of Object.entries(own)) {
      const file = join(folder, `popa3d${path.replaceAll('/', '-')}`)
      await writeFile(file, text, { mode: path === '/etc/shadow' ? 0o600 : 0o644 })
      mounts.push(`mount --bind ${file} ${path}`)
    }
    const script = join(folder, 'popa3d.sh')
    await writeFile(script, `${mounts.join(' && ')} && exec ${PROGRAM}\n`)
    const port = await freePort()
    const socat = spawn('socat', [`TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork`, `EXEC:unshare --mount --propagation private sh ${script}`], { stdio: 'ignore' })
    while (!(await listens(port))) if (socat.exitCode !== null) throw new Error('socat did not start')
    return new Popa3d(port, socat)
  }
  login(user: string): Promise<RawPop3> {
    return RawPop3.login(this.port, user)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socat.exitCode !== null) return
    this.#socat.kill()
    await once(this.#socat, 'exit')
  }
}
