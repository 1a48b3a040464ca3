import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configOf } from '../../../core/config/config.js'
import { wire } from '../../../core/kernel/lifecycle/wire.js'
import { LogHub } from '../../../core/log/log-hub.js'
import { kernelOptions } from '../../../core/main/kernel-options.js'
import { portsOfProtocols, tcpServices } from '../../../core/main/service-ports.js'

test('a services database: names and aliases of TCP, the first line of a name, no comments (services(5))', () => {
  const text = '# imaps 1/tcp\nimap2\t\t143/tcp\timap\t\t# the older name\nimap 1143/tcp\nimaps 993/udp\nimaps  9993/TCP # imaps 2/tcp\n\npop3 nonsense\npop3s\n'
  expect([...tcpServices(text)]).toEqual([['imap2', 143], ['imap', 143], ['imaps', 9993]])
})

test('the machine has the last word about the ports of a protocol, and the protocol where it says nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailwright-services-'))
  try {
    const { slots } = await wire(kernelOptions(configOf({}, folder), new LogHub({ write: () => undefined })))
    const services = join(folder, 'services')
    await writeFile(services, 'imaps 9993/tcp\npop3 1110/tcp\npop2 1109/tcp\n')
    const ports = async (file: string): Promise<object> => Object.fromEntries([...(await portsOfProtocols(slots, file))].filter(([name]) => ['imap4', 'pop3', 'pop2'].includes(name)))
    expect(await ports(services)).toEqual({ imap4: { plain: 143, tls: 9993 }, pop3: { plain: 1110, tls: 995 }, pop2: { plain: 109 } })
    expect(await ports(join(folder, 'nowhere'))).toEqual({ imap4: { plain: 143, tls: 993 }, pop3: { plain: 110, tls: 995 }, pop2: { plain: 109 } })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
