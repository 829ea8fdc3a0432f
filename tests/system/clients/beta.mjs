// npm openai-realtime-api: a client that knows the beta's names only.

import { RealtimeClient } from 'openai-realtime-api'
import { Talk, socket, wasCut } from './talk.mjs'

const client = new RealtimeClient({
  url: `${socket}/v1/realtime`,
  apiKey: 'none',
  sessionConfig: { instructions: 'Be brief.', turn_detection: { type: 'server_vad' } },
})
const talk = new Talk(block => client.appendInputAudio(new Int16Array(new Uint8Array(block).buffer)))

client.on('conversation.updated', ({ delta }) => {
  if (delta?.audio) talk.sounded(delta.audio.byteLength)
})
client.realtime.on('server.response.created', () => talk.began())
client.realtime.on('server.error', event => talk.failed(event.error))
client.realtime.on('server.response.done', ({ response }) => {
  talk.interrupted ||= wasCut(response.status)
  const items = response.output.map(item => client.conversation.getItem(item.id))
  talk.ended(items.map(item => item?.formatted.transcript ?? '').join(' '), response.status)
})

await client.connect()
await client.waitForSessionCreated()
await talk.hold(() => {
  // What the library made of it all: who said what, in its own list of items.
  const asked = client.conversation.getItems().filter(item => item.role === 'user')
  talk.transcripts = asked.map(item => item.formatted.transcript)
})
