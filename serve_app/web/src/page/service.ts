/** Which service this page speaks to: the host that it came from, or the one that its own head names. */

/**
 * Only the page itself may name it (`python -m serve_app.page --gateway URL` writes the line): were it a part of the
 * address, a link could send a key that this tab keeps to somebody else.
 */
export function serviceOf(page: Pick<Document, "querySelector">, here: string): string {
  const named = page.querySelector<HTMLMetaElement>('meta[name="avatar-gateway"]')?.content;
  return new URL(named || ".", here).href;
}
