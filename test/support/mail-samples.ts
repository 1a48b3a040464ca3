import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Folders of message samples that Debian packages bring (libpython3.*-testsuite, python3-flufl.bounce, spamassassin), each message in a file. */
const LIBRARIES = '/usr/lib'
const FOLDERS = ['/usr/lib/python3/dist-packages/flufl/bounce/tests/data', '/usr/share/doc/spamassassin/examples']

/** A message as somebody collected it. */
export interface MailSample {
  /** Path of its file. */
  readonly from: string
  /** With CRLF line ends throughout, without the From line of a mailbox. */
  readonly octets: Buffer
}

/** All samples that the machine has, in the order of their paths. */
export async function mailSamples(): Promise<MailSample[]> {
  const pythons = (await readdir(LIBRARIES)).filter((name) => /^python3\.\d+$/.test(name)).map((name) => join(LIBRARIES, name, 'test', 'test_email', 'data'))
  const samples: MailSample[] = []
  for (const folder of [...pythons, ...FOLDERS]) {
    const names = await readdir(folder).catch(() => [])
    for (const name of names.toSorted()) {
      if (!/\.(txt|eml)$/.test(name)) continue
      const from = join(folder, name)
      const text = (await readFile(from, 'latin1')).replace(/^From .*\r?\n/, '')
      if (text !== '') samples.push({ from, octets: Buffer.from(text.replaceAll(/\r\n|\r|\n/g, '\r\n'), 'latin1') })
    }
  }
  return samples
}
