#!/usr/bin/perl
# zeromq.pl CHANNEL TEXT -- publishes over ZeroMQ (libzmq-ffi-perl); prints the event's id when it is on the hub's disk.
use v5.36;
use Digest::SHA    qw(sha1_hex);
use Encode         qw(decode_utf8 encode_utf8);
use JSON::PP       qw(encode_json);
use Time::HiRes    qw(time);
use ZMQ::FFI       qw();
use ZMQ::FFI::Constants qw(ZMQ_REQ ZMQ_RCVTIMEO);

my $endpoint = $ENV{BELFRY_PUBLISH} // 'ipc:///run/belfry/publish.ipc';

# The event's id. It is tried again under one key, so that it is published once, whatever happens.
sub publish ($channel, $data, $event = '') {
    my %options = (json => JSON::PP::true, idempotencyKey => sha1_hex(join '/', time, $$, rand));
    my $context = ZMQ::FFI->new;
    for (1 .. 3) {
        my $hub = $context->socket(ZMQ_REQ);
        $hub->set_linger(0);
        $hub->set(ZMQ_RCVTIMEO, 'int', 5000);
        $hub->connect($endpoint);
        $hub->send_multipart([encode_utf8($channel), encode_utf8($event), encode_json($data), encode_json(\%options)]);
        my ($said, @what) = eval { $hub->recv_multipart } or next;
        die join(': ', @what), "\n" if $said ne 'ok';
        return $what[0];
    }
    die "no answer from $endpoint\n";
}

my ($channel, $text) = map { decode_utf8($_) } @ARGV;
say publish($channel, { text => $text });
