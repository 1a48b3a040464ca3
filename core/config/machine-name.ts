import { execFile } from 'node:child_process'
import { hostname } from 'node:os'
import { promisify } from 'node:util'

/** A server must not wait for a name server that does not answer. */
const WITHIN_MS = 2000
const FULL_NAME = /^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+$/

let found: Promise<string> | undefined

/**
 * The name of the machine. One without a domain is looked up, and becomes the canonical name of the answer (`AI_CANONNAME` of getaddrinfo(3): the first name of
 * the line in /etc/hosts, or what the name server says); it stays short where nobody knows more. Asked once per process.
 */
export function machineName(): Promise<string> {
  return (found ??= lookUp(hostname()))
}
async function lookUp(name: string): Promise<string> {
  if (name.includes('.')) return name
  try {
    // Node's own look-up gives addresses alone.
    const { stdout } = await promisify(execFile)('getent', ['ahosts', name], { timeout: WITHIN_MS })
    return canonicalName(stdout) ?? name
  } catch {
    return name
  }
}

/** The canonical name in the words of getent(1): `192.0.2.1 STREAM mail.example.org`; undefined when it says nothing of this machine alone. */
export function canonicalName(ahosts: string): string | undefined {
  for (const line of ahosts.split('\n')) {
    const name = line.trim().split(/\s+/)[2]
    if (name !== undefined && FULL_NAME.test(name) && !name.toLowerCase().startsWith('localhost.')) return name
  }
  return undefined
}
