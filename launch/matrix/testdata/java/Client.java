import java.net.*;
import java.net.http.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

/** Asks a web server by java.net.http, and sends datagrams to one that sends them back. */
public class Client {
    public static void main(String[] args) throws Exception {
        String web = args[0], host = args[1];
        int echo = Integer.parseInt(args[2]), refused = Integer.parseInt(args[3]);
        HttpClient client = HttpClient.newHttpClient();
        List<CompletableFuture<String>> answers = IntStream.range(0, 20).mapToObj(i ->
            client.sendAsync(HttpRequest.newBuilder(URI.create(web + "/hello")).build(), HttpResponse.BodyHandlers.ofString())
                .thenApply(r -> r.statusCode() + " " + r.body().trim())).collect(Collectors.toList());
        Map<String, Integer> counts = new TreeMap<>();
        for (CompletableFuture<String> a : answers) counts.merge(a.get(), 1, Integer::sum);
        System.out.println(counts);
        HttpRequest post = HttpRequest.newBuilder(URI.create(web + "/hash"))
            .POST(HttpRequest.BodyPublishers.ofString("java".repeat(1 << 20))).build();
        System.out.print(client.send(post, HttpResponse.BodyHandlers.ofString()).body());
        try {
            client.send(HttpRequest.newBuilder(URI.create("http://" + host + ":" + refused + "/")).build(), HttpResponse.BodyHandlers.ofString());
        } catch (java.io.IOException e) {
            System.out.println(e.getClass().getName());
        }
        try (DatagramSocket s = new DatagramSocket()) {
            s.setSoTimeout(20000);
            InetAddress to = InetAddress.getByName(host);
            for (int size : new int[] {1, 512, 1400}) {
                s.send(new DatagramPacket(new byte[size], size, to, echo));
                DatagramPacket p = new DatagramPacket(new byte[2000], 2000);
                s.receive(p);
                System.out.println("datagram of " + p.getLength() + " bytes " + p.getAddress().equals(to));
            }
        }
    }
}
