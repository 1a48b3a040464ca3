import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { run } from './programs.js'

/** How often the screen is looked at, and how long a program may take to show what it is waited for. */
const LOOK_EVERY_MS = 50
const GIVE_UP_MS = 30_000
/** tmux now and then misses the end of a program, so a shell notes its exit code. */
const CODE = 'code'
const NOTING = '"$@"; echo $? > "$0.new"; mv "$0.new" "$0"'

/**
 * A full-screen program on a terminal of its own, driven as a person drives it: by what stands on the screen, never by time.
 * The terminal is tmux's, which keeps the screen as a person would see it.
 */
export class Screen {
  readonly #folder: string
  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Starts the program; `env` is what it gets besides the environment of the tests. */
  static async open(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Screen> {
    const folder = await mkdtemp(join(tmpdir(), 'mailwright-screen-'))
    const screen = new Screen(folder)
    const variables = Object.entries({ LANG: 'C.UTF-8', TERM: 'screen', ...env }).map(([name, value]) => `${name}=${value}`)
    // One command line: the option must stand before the program can end.
    await screen.#tmux('start-server', ';', 'set-option', '-g', 'remain-on-exit', 'on', ';', 'new-session', '-d', '-x', '110', '-y', '40', 'sh', '-c', NOTING, join(folder, CODE), 'env', ...variables, program, ...args)
    return screen
  }

  /** What stands on the screen, as lines without trailing blanks. */
  async text(): Promise<string> {
    return await this.#tmux('capture-pane', '-p')
  }
  /**
   * Waits until the screen shows this. Where `wiped.over` stands there alone, what stood over it was wiped out by the program itself: the key has it drawn again.
   *
   * @throws with the whole screen when the program ends or takes for ever.
   */
  async shows(wanted: string | RegExp, wiped?: { readonly over: string; readonly press: string }): Promise<void> {
    const isThere = (text: string): boolean => (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text))
    const since = Date.now()
    for (;;) {
      const over = (await this.#exitCode()) !== undefined
      const text = await this.text()
      if (isThere(text)) return
      if (over || Date.now() - since > GIVE_UP_MS) throw new Error(`the screen does not show ${String(wanted)}:\n${text}`)
      if (wiped !== undefined && text.includes(wiped.over)) await this.press(wiped.press)
      await pause(LOOK_EVERY_MS)
    }
  }
  /** Types the text as it is. */
  async type(text: string): Promise<void> {
    // A semicolon at the end would end the command of tmux.
    await this.#tmux('send-keys', '-l', text.replace(/;$/, String.raw`\;`))
  }
  /** Presses keys by their tmux names: `Enter`, `C-c`. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys)
  }
  /** Waits until the program has ended. @returns its exit code and the last screen. */
  async ended(): Promise<{ readonly code: number; readonly text: string }> {
    const since = Date.now()
    for (;;) {
      const code = await this.#exitCode()
      const text = await this.text()
      if (code !== undefined) return { code, text }
      if (Date.now() - since > GIVE_UP_MS) throw new Error(`the program does not end:\n${text}`)
      await pause(LOOK_EVERY_MS)
    }
  }
  /** Ends the program, if it still runs, and its terminal. */
  async close(): Promise<void> {
    await this.#tmux('kill-server').catch(() => undefined)
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #exitCode(): Promise<number | undefined> {
    const text = await readFile(join(this.#folder, CODE), 'utf8').catch(() => '')
    return text === '' ? undefined : Number(text)
  }
  async #tmux(...args: readonly string[]): Promise<string> {
    const got = await run('tmux', ['-u', '-f', '/dev/null', '-S', join(this.#folder, 'tmux'), ...args], { env: { LANG: 'C.UTF-8' } })
    if (got.code !== 0) throw new Error(`tmux ${args[0] ?? ''}: ${got.stderr}`)
    return Buffer.from(got.stdout, 'latin1').toString('utf8')
  }
}
