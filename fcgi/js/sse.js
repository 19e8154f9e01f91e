// sse -- the text of a stream becomes blocks: {id, event, data, retry}, each only where it was said.
// Reads what Belfry writes: lines end in LF, and data is one line.

const parsed = (block) => Object.fromEntries(block.split('\n').map((line) => line.split(/: ?(.*)/s, 2)));

/** Reads an answer to its end or until `signal`, which its fetch has too; `on` gets the blocks that each part of it ended: none, too. */
export async function read(answer, signal, on) {
    const reader = answer.body.getReader();
    signal.onabort = () => reader.cancel().catch(() => {});  // Node 18's fetch may forget it
    const decoder = new TextDecoder();
    for (let rest = ''; ;) {
        const { done, value } = await reader.read();
        if (done)
            return;
        const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
        rest = blocks.pop();
        on(blocks.map(parsed));
    }
}
