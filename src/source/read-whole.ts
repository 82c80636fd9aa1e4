/**
 * Reads a stream to its end.
 * @param limitMessage how the error for a longer stream begins: `it prints more than`
 * @throws Error `it prints more than 1048576 bytes`, and whatever the stream fails with
 */
export async function readWhole(
  stream: AsyncIterable<Buffer>,
  maxBytes: number,
  limitMessage: string,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`${limitMessage} ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
