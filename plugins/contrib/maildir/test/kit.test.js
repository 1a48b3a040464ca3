import { describeMailboxDriver } from 'mailwright/testing'
import { about } from '../lib/plugin.js'
import { MaildirDriver } from '../lib/store.js'

describeMailboxDriver('maildir', {
  about,
  keeps: 'files',
  create: (services) => new MaildirDriver({ ...services, path: 'Maildir', delimiter: '/', machine: { host: 'mail.example.org', pid: process.pid } }),
})
describeMailboxDriver('maildir with dots between the parts of names', {
  about,
  keeps: 'files',
  create: (services) => new MaildirDriver({ ...services, path: '', delimiter: '.', machine: { host: 'mail.example.org', pid: process.pid } }),
})
