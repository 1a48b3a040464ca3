import v8 from 'node:v8'

/**
 * Keeps the part of the heap for new objects small. It grows with the rate at which objects come and go, so thousands of clients
 * that send garbage at the same time would otherwise leave the process with tens of MiB that nobody uses any more.
 */
export function keepYoungHeapSmall(): void {
  v8.setFlagsFromString('--semi-space-growth-factor=1')
  v8.setFlagsFromString('--max-semi-space-size=2')
}
