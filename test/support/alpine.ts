import type { Screen } from './screen.js'

/** The account's password when alpine asks for it at its start, and no to keeping it. */
export async function giveAlpinePassword(screen: Screen, password = 'secret'): Promise<void> {
  await screen.shows('ENTER PASSWORD')
  await screen.type(password)
  await screen.press('Enter')
  await screen.shows('Preserve password on DISK')
  await screen.type('n')
}
/** Moves the cursor of the index to a message. */
export async function jumpInAlpine(screen: Screen, to: number, of: number): Promise<void> {
  await screen.type('j')
  await screen.shows('Message number to jump to')
  await screen.type(String(to))
  await screen.press('Enter')
  await screen.shows(new RegExp(`Message ${to} of ${of}`))
}
