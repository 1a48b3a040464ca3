let count = 0

/** The base of a message that comes now: no other message anywhere has it (<https://cr.yp.to/proto/maildir.html>). */
export function uniqueName({ clock, random, machine }) {
  const now = clock.now()
  const host = machine.host.replaceAll('/', '\\057').replaceAll(':', '\\072').replaceAll(',', '\\054')
  return `${Math.floor(now / 1000)}.M${Math.floor((now % 1000) * 1000)}P${machine.pid}Q${count++}R${Buffer.from(random(6)).toString('hex')}.${host}`
}
