#!/usr/bin/env node
// Nothing is imported by name, for then nobody could catch that it is not to be had: while another version is being installed, or the machine is out of
// memory or file descriptors, a transport must keep the message that it wants to deliver.

/** EX_TEMPFAIL and EX_SOFTWARE of sysexits.h. */
const [TEMPORARY, BUG] = [75, 70]

// Other mail programs ask for a mailbox by this signal, which ends a process that does not know it. No lock is held for longer than an operation.
process.on('SIGUSR2', () => undefined)
try {
  const { runCommandLine } = await import('./command-line.js')
  await runCommandLine()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = process.argv[2] === 'deliver' ? TEMPORARY : BUG
}
