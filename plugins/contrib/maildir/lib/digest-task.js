import { listFolder } from './listing.js'
import { NameDigest } from './name-digest.js'

export const module = import.meta.url

/** What the folders of a Maildir hold now, told by a digest: however many names there are, they do not leave the thread. */
export async function run({ files }, { path, folders }) {
  const digest = new NameDigest()
  for (const folder of folders) for (const name of await listFolder(files, path, folder)) digest.add(`${folder}/${name}`)
  return digest.value
}
