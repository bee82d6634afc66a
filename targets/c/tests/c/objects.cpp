// The same through ocelli.hpp.
//
//     objects MODEL MMPROJ PICTURE QUESTION
#include "ocelli.hpp"

#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace {

std::vector<char> bytes(const char *path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void must(bool right, const char *what) {
    if (!right) throw std::runtime_error(what);
}

std::string ask(ocelli::Session &session, const std::vector<char> &picture, std::string_view question) {
    session.reset();
    session.image(picture.data(), picture.size());
    session.text(question);
    return session.answer();
}

struct Unwilling {};

} // namespace

int main(int count, char **arguments) {
    if (count != 5) return 2;
    const auto picture = bytes(arguments[3]);
    constexpr std::string_view options = "context=512 image=640x640 threads=2 max_tokens=12";

    ocelli::Model model{ocelli::Files{arguments[1], arguments[2]}};
    ocelli::Session session{model, options};
    const std::string first = ask(session, picture, arguments[4]);

    // Piece by piece, in memory of our own, after a move.
    const auto text = bytes(arguments[1]), vision = bytes(arguments[2]);
    const ocelli::Files files{text.data(), text.size(), vision.data(), vision.size()};
    std::vector<char> model_block(ocelli::Model::need(files));
    ocelli::Model inside{files, {model_block.data(), model_block.size()}};
    std::vector<char> session_block(inside.plan(options).session);
    ocelli::Session made{inside, options, {session_block.data(), session_block.size()}};
    ocelli::Session moved{std::move(made)};
    moved.image(picture.data(), picture.size());
    moved.text(arguments[4]);
    std::string pulled;
    char buffer[16];
    std::string_view piece;
    while (moved.next(buffer, sizeof buffer, piece) == OCELLI_OK) pulled += piece;
    must(pulled == first, "the same answer");

    // What a sink throws comes out; what is wrong is thrown.
    session.reset();
    session.text(arguments[4]);
    try {
        session.answer([](std::string_view) -> bool { throw Unwilling{}; });
        must(false, "an exception of the sink");
    } catch (const Unwilling &) {
    }
    try {
        session.set("colour", "red");
        must(false, "an exception");
    } catch (const ocelli::Error &error) {
        must(error.status() == OCELLI_BAD_OPTION && std::string{error.what()}.find("colour") != std::string::npos,
             "what an error says");
    }
    must(ask(session, picture, arguments[4]) == first, "the session lives on");
    must(session.stats().beyond == 0, "nothing beyond the block");
    std::cout << first << '\n';
}
