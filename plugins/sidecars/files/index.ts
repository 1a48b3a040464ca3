import { definePlugin, FILES, MAILBOX_SETTINGS, noSettings, sidecarBackends } from 'mailwright/api'
import { FileSidecars } from './backend.js'

export default definePlugin({
  id: 'sidecars-files',
  api: '1.0',
  summary: 'What a mailbox cannot hold itself, in files of the state directory',
  setup(p) {
    p.to(sidecarBackends).contribute({
      name: 'files',
      about: { manyProcesses: false },
      settings: noSettings,
      needs: { files: FILES, mailbox: MAILBOX_SETTINGS },
      create: (_settings, needs) => new FileSidecars(needs),
    })
  },
})
