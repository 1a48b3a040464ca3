import { hostname } from 'node:os'
import type { TestProject } from 'vitest/node'
import { makeSelfSigned } from '../../core/net/tls/self-signed.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** A certificate for this machine and its key, as a server keeps what it made itself. */
    selfSigned: string
  }
}

/** Makes one certificate for all servers of a run: its key takes a processor as long as a third of a start. */
export default async function makeCertificate({ provide }: TestProject): Promise<void> {
  const { certificate, key } = await makeSelfSigned(['localhost', hostname(), '127.0.0.1', '::1'], new Date())
  provide('selfSigned', certificate + key)
}
