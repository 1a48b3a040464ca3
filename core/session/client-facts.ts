import type { ClientFacts } from '../api/index.js'

/** Commands that are remembered: enough to tell clients apart, whatever the session's length. */
const REMEMBERED_COMMANDS = 32

/** What is known of a client that has said nothing yet. */
export function unknownClient(address: string): ClientFacts {
  return { address, id: new Map(), commands: [] }
}

/** The facts after something was learned: ID pairs are added to those known, other facts replace. */
export function learned(facts: ClientFacts, news: Partial<ClientFacts>): ClientFacts {
  return {
    address: news.address ?? facts.address,
    id: news.id === undefined ? facts.id : new Map([...facts.id, ...news.id]),
    commands: news.commands ?? facts.commands,
  }
}

/** Notes the first use of a command's name; the same object when there is nothing new. */
export function afterCommand(facts: ClientFacts, name: string): ClientFacts {
  if (facts.commands.length >= REMEMBERED_COMMANDS || facts.commands.includes(name)) return facts
  return { ...facts, commands: [...facts.commands, name] }
}
