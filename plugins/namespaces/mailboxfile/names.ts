/** What leads astray, anywhere in a name; conservative: `a..b` is one too. */
export function hasTricks(name: string): boolean {
  return name.includes('..') || name.includes('//') || name.includes('/~')
}
/** INBOX in any capitals, and nothing else. */
export function isInboxName(name: string): boolean {
  return name.length === 5 && name.toUpperCase() === 'INBOX'
}
/** The same path with one slash between components and without components `.`; the slash at its end remains, `..` stays as it is. */
export function tidied(path: string): string {
  const parts = path.split('/')
  const last = parts.length - 1
  const kept = parts.filter((part, i) => part !== '.' && (part !== '' || i === 0 || i === last))
  // What ended with a component `.` is a directory.
  const end = last > 0 && parts[last] === '.' && kept.length > 0 && kept[kept.length - 1] !== '' ? '/' : ''
  return kept.join('/') + end
}
/** Whether a component leads upwards. */
export function parentSteps(path: string): boolean {
  return path.split('/').includes('..')
}
/** The directory itself, under whatever name. */
export function onlyDots(path: string): boolean {
  return path === '' || path === '/' || path === '.'
}
