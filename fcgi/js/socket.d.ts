// Types of BelfrySocket: a WebSocket, and the words of clients around one.

import { Belfry, Options } from './client.js';

export interface SocketOptions extends Options {
    /** The channel of a room: `room:NAME` where nothing else is said. */
    channel?: (room: string) => string;
    /** The room of those who say `user-online`. */
    lobby?: string;
}

export interface Message {
    type?: string;
    error?: string;
    [field: string]: any;
}

export class BelfrySocket extends EventTarget {
    static readonly CONNECTING: 0;
    static readonly OPEN: 1;
    static readonly CLOSING: 2;
    static readonly CLOSED: 3;
    readonly CONNECTING: 0;
    readonly OPEN: 1;
    readonly CLOSING: 2;
    readonly CLOSED: 3;
    constructor(url?: string | URL, options?: SocketOptions | string[]);
    readonly url: string;
    readonly readyState: number;
    readonly protocol: string;
    readonly extensions: string;
    readonly bufferedAmount: number;
    binaryType: BinaryType;
    readonly hub: Belfry;
    onopen: ((event: Event) => void) | null;
    onmessage: ((event: Event & { data: string }) => void) | null;
    onclose: ((event: Event & { code: number; reason: string; wasClean: boolean }) => void) | null;
    onerror: ((event: Event & { error?: Error; message?: string }) => void) | null;
    send(text: string): void;
    close(code?: number, reason?: string): void;
    emit(type: string, payload?: object): this;
    on(type: string, fn: (message: Message) => void): () => void;
    connect(): Promise<Belfry>;
    disconnect(): void;
    joinRoom(room: string): Promise<void>;
    leaveRoom(room: string): Promise<void>;
    sendMessage(room: string, content: unknown): Promise<string>;
}
