#!/usr/bin/perl
# Belfry from Perl, with what comes with it.
#
#     perl belfry.pl token alice 'room:*'       a token with which alice may read and write these, for an hour
#     perl belfry.pl publish room:1 'hello'     prints the event's id when it is on the hub's disk
use v5.36;
use Digest::SHA  qw(hmac_sha256 sha1_hex);
use Encode       qw(decode_utf8);
use HTTP::Tiny;
use JSON::PP     qw(encode_json decode_json);
use MIME::Base64 qw(encode_base64url);
use Time::HiRes  qw(sleep time);

my $url    = $ENV{BELFRY_URL}    // 'http://127.0.0.1:8080/events';
my $secret = $ENV{BELFRY_SECRET} // '/etc/belfry/secret';    # the file that token_keys names

# A JSON Web Token; rights are subscribe, publish, presence: lists of channels and patterns.
sub token ($user, $seconds, %rights) {
    my $now    = int time;
    my $claims = { sub => $user, iat => $now, exp => $now + $seconds, belfry => \%rights };
    my $signed = join '.', map { encode_base64url(encode_json($_)) } { alg => 'HS256' }, $claims;
    open my $file, '<', $secret or die "$secret: $!\n";
    my $key = join('', <$file>) =~ s/\A\s+|\s+\z//gr;
    return $signed . '.' . encode_base64url(hmac_sha256($signed, $key));
}

# The event's id. It is tried again under one key, so that it is published once, whatever happens.
sub publish ($channel, $data, $event = undef) {
    my %body = (channel => $channel, data => $data, $event ? (event => $event) : ());
    my $key  = sha1_hex(join '/', time, $$, rand);
    my %post = (
        content => encode_json(\%body),
        headers => {
            'Content-Type'    => 'application/json',
            'Idempotency-Key' => $key,
            'Authorization'   => 'Bearer ' . token('application', 60, publish => [$channel]),
        });
    for my $pause (0.3, 1, 3, 0) {
        my $answer = HTTP::Tiny->new(timeout => 15)->post("$url/send", \%post);    # 599: no answer
        return decode_json($answer->{content})->{id} if $answer->{success};
        die "$answer->{content}\n" if !$pause || $answer->{status} !~ /\A(429|503|599)\z/;
        sleep $pause;
    }
}

my ($do, @arguments) = map { decode_utf8($_) } @ARGV;
if (($do // '') eq 'token' && @arguments) {
    my ($user, @channels) = @arguments;
    say token($user, 3600, subscribe => \@channels, publish => \@channels);
} elsif (($do // '') eq 'publish' && @arguments == 2) {
    say publish($arguments[0], { text => $arguments[1] });
} else {
    die "usage: belfry.pl token USER CHANNEL... | publish CHANNEL TEXT\n";
}
