import { logSinks, observers, protocols, certificateSources, transcripts, transportLayers } from '../api/index.js'
import type { Plugin } from '../api/index.js'
import { corePoints } from '../config/points.js'
import imapd from '../imapd/plugin.js'
import type { AnyPoint } from '../kernel/plan.js'
import log from '../log/plugin.js'
import mail from '../mail/plugin.js'
import pop3d from '../pop3d/plugin.js'
import os from '../os/plugin.js'
import auth from '../session/auth/plugin.js'

/** Core's own parts, wired like any plugin, but always there. */
export const alwaysOn: readonly Plugin[] = [os, log, mail, auth, imapd, pop3d]

/** Points that exist before any plugin is loaded. */
export const knownPoints: readonly AnyPoint[] = corePoints.map((p) => p.point)

/** Points whose contributions core/main reads itself. */
export const readByMain: readonly AnyPoint[] = [logSinks, protocols, certificateSources, transportLayers, observers, transcripts]
