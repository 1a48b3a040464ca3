/** What a full greeting says of this server; a test holds it to package.json. */
export const SERVER_VERSION = '0.1.0'
