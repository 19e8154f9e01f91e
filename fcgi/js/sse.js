// sse -- the text of a stream becomes blocks: {id, event, data, retry}, each only where it was said.

/** Returns a function that is given text, cut anywhere, and calls `on` for each block. */
export function parser(on) {
    let rest = '';
    let block = {};
    const line = (text) => {
        if (text === '') {
            if (Object.keys(block).length)
                on(block);
            block = {};
            return;
        }
        const colon = text.indexOf(':');
        const name = colon < 0 ? text : text.slice(0, colon);
        const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
        if (name === 'data')
            block.data = 'data' in block ? `${block.data}\n${value}` : value;
        else if (name === 'id' || name === 'event')
            block[name] = value;
        else if (name === 'retry')
            on({ retry: Number(value) });           // holds at once, without a blank line
    };
    return (text) => {
        // A CR at the end may be half of a CR LF.
        const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
        rest = lines.pop();
        lines.forEach(line);
    };
}

/** Reads an answer to its end. */
export async function read(answer, on) {
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
        const { done, value } = await reader.read();
        if (done)
            return;
        on(decoder.decode(value, { stream: true }));
    }
}
