import type { Screen } from './screen.js'

/**
 * The account's password when alpine asks for it at its start, and no to keeping it.
 *
 * That a mailbox is being opened is drawn by another thread of alpine, which has to wait while a warning stands there (`SECURITY PROBLEM`: PLAIN in clear). On
 * a busy machine it comes late and wipes the question out, to which alpine waits for the answer all the same; ^L has it drawn again.
 */
export async function giveAlpinePassword(screen: Screen, password = 'secret'): Promise<void> {
  await screen.shows('ENTER PASSWORD', { over: 'Ret Accept', press: 'C-l' })
  await screen.type(password)
  await screen.press('Enter')
  await screen.shows('Preserve password on DISK', { over: 'Y [Yes]', press: 'C-l' })
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
